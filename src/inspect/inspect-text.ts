import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { isUtf8, showName } from "../bytes/name.ts";
import type { WalkEntry } from "../fs/walk.ts";
import { swapRoot } from "../vfs/node-id.ts";
import { numberOfChunk, type Run } from "./data.ts";
import { blobName, type ImageView } from "./image-view.ts";

/** How nydus-image words what `inspect` says about files. Source of the wording: nydus src/bin/nydus-image/inspect.rs. */

/** The misspelling is nydus-image's. */
export const USAGE = `
    stats:              Display RAFS filesystesm metadata
    ls:                 Show files in current directory
    cd DIR:             Change current directory
    stat FILE_NAME:     Show particular information of RAFS file
    blobs:              Show blob table
    prefetch:           Show prefetch table
    chunk OFFSET:       List basic info of a single chunk together with a list of files that share it
    icheck INODE:       Show path of the inode and basic information
    exit:               Exit
        
`;

/** Nothing in an uncompressed image is found by digest, and TARFS keeps none. */
const NO_DIGEST = "0".repeat(64);
const SIGNS: ReadonlyMap<number, string> = new Map([
  [S_IFREG, "-"],
  [S_IFDIR, "d"],
  [S_IFLNK, "l"],
]);

export const entryText = ({ attr, name }: WalkEntry): string =>
  `${SIGNS.get(attr.mode & S_IFMT) ?? " "}    ${String(attr.ino).padEnd(8)} ${quoted(name)}\n`;

export const statText = ({ image }: ImageView, { attr, name, parent }: WalkEntry): string => `
Inode Number:       ${attr.ino}
Name:               ${quoted(name)}
Size:               ${attr.size}
Parent:             ${swapRoot(parent, image.handle.rootNid)}
Mode:               0x${attr.mode.toString(16).toUpperCase()}
Permissions:        ${attr.mode.toString(8)}
Nlink:              ${attr.nlink}
UID:                ${attr.uid}
GID:                ${attr.gid}
Mtime:              ${attr.mtime}
MtimeNsec:          ${attr.mtimeNsec}
Blocks:             ${Math.ceil(attr.size / 512)}
`;

export function chunkText(view: ImageView, { attr }: WalkEntry, chunks: readonly Run[]): string {
  const rows = chunks.map(
    (run, i) => `        ${i} ->
        file offset: ${run.offset}, chunk index: ${numberOfChunk(view.image, attr, run)}
        compressed size: ${run.length}, decompressed size: ${run.length}
        compressed offset: ${run.address}, decompressed offset: ${run.address}
        blob id: ${deviceName(view, run)}
        chunk id: ${NO_DIGEST}
    
`,
  );
  return `  Chunk list:\n${rows.join("")}`;
}

export function sharerText(view: ImageView, { path, name }: WalkEntry, run: Run): string {
  const parent = path.subarray(0, path.length - name.length);
  return `
File: ${showName(name).padEnd(32)} Parent Path: ${showName(parent).padEnd(32)}
Compressed Offset: ${run.address}, Compressed Size: ${run.length}
Decompressed Offset: ${run.address}, Decompressed Size: ${run.length}
Chunk ID: ${NO_DIGEST},
Blob ID: ${deviceName(view, run)}

`;
}

const deviceName = (view: ImageView, { device }: Run): string =>
  device > 0 ? blobName(view, device - 1) : "(in the image)";

/** In quotes, unless escapes of bytes that are no UTF-8 would be escaped once more. */
const quoted = (name: Uint8Array): string =>
  isUtf8(name) ? JSON.stringify(Buffer.from(name).toString()) : `"${showName(name)}"`;
