import { openOutput } from "../atomic-file/output.ts";
import type { BlobSearch } from "../blob/locate.ts";
import { showName } from "../bytes/name.ts";
import { rootOf, type WalkEntry, walk } from "../fs/walk.ts";
import { writeTarTo } from "../tar/tar-output.ts";
import type { TarWriter } from "../tar/write-tar.ts";
import { isDirectory, isRegular } from "./attr.ts";
import { targetOf } from "./describe.ts";
import { type ImageView, openImageView, readError } from "./image-view.ts";
import { entryOf, tarPath } from "./unpack-entry.ts";

export interface UnpackOptions {
  readonly bootstrap: string;
  readonly search: BlobSearch;
  /** Path, or `-` for standard output. */
  readonly output: string;
  /** Told of what a tar cannot hold. */
  readonly warn: (message: string) => void;
}

const PIECE = 256 * 1024;

/**
 * Writes the merged tree as one pax tar: all metadata, hard links as such, holes as zeros.
 *
 * @throws OperationalError when a blob or the output fails, FormatError when the image is broken; then there is no output
 */
export async function unpackImage({ bootstrap, search, output, warn }: UnpackOptions): Promise<void> {
  const view = openImageView(bootstrap, search);
  try {
    await writeTarTo(await openOutput(output), (writer) => addTree(view, writer, warn));
  } finally {
    view.blobs.close();
  }
}

async function addTree(view: ImageView, writer: TarWriter, warn: (message: string) => void): Promise<void> {
  /** Where each file that has several names was put. */
  const first = new Map<number, Uint8Array>();
  for (const walked of walk(view.fs, rootOf(view.fs))) {
    const earlier = first.get(walked.node);
    const entry = entryOf(view.fs, walked, earlier ?? targetOf(view, walked), earlier !== undefined);
    if (entry === undefined) {
      warn(`${showName(walked.path)}: a socket, left out: a tar cannot hold one`);
      continue;
    }
    if (earlier === undefined && hasNames(walked)) first.set(walked.node, tarPath(walked));
    await writer.add(entry, isRegular(walked.attr) ? bodyOf(view, walked) : []);
  }
}

/** A file that may have been met under another name. */
const hasNames = ({ attr }: WalkEntry): boolean => attr.nlink > 1 && !isDirectory(attr);

function* bodyOf(view: ImageView, { node, attr, path }: WalkEntry): Generator<Uint8Array> {
  for (let offset = 0; offset < attr.size; ) {
    const bytes = Buffer.allocUnsafe(Math.min(PIECE, attr.size - offset));
    const n = view.fs.read(node, offset, bytes.length, bytes, 0);
    if (n !== bytes.length) throw readError(view, showName(path));
    yield bytes;
    offset += n;
  }
}
