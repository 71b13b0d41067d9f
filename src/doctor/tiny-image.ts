import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HeldFiles } from "../blob/held-files.ts";
import { createImage } from "../mkfs/create.ts";
import { type OpenedImage, openImage } from "../fs/open-image.ts";
import { wholeFile } from "../tar/layer-file.ts";
import { padding, ustarHeader } from "../tar/write-header.ts";

/** An image as small as they come, of 512-byte blocks, whose one file lies in a tar: it takes a `device=`. */
export interface TinyImage {
  readonly path: string;
  readonly tar: string;
  readonly image: OpenedImage;
  /** Removes it. */
  remove(): void;
}

const TEXT = "nydusd-ts doctor\n";

/** @param where directory to make it in. @throws the system error of writing there */
export async function tinyImage(where: string): Promise<TinyImage> {
  const dir = mkdtempSync(join(where, "nydusd-ts-doctor-"));
  const remove = () => rmSync(dir, { recursive: true, force: true });
  try {
    const tar = join(dir, "layer.tar");
    const path = join(dir, "image.boot");
    const header = { name: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, typeflag: "0" };
    const end = new Uint8Array(1024);
    writeFileSync(
      tar,
      Buffer.concat([
        ustarHeader({ ...header, size: TEXT.length }),
        ...[Buffer.from(TEXT), padding(TEXT.length), end],
      ]),
    );
    await createImage({
      ...{ layer: wholeFile(tar), bootstrap: path, blobDir: undefined, blobId: "doctor", blobLink: "none" },
      ...{ chunkSize: 0x10_0000, isRepeatable: false, ignoreZeros: false, prefetch: [] },
      ...{ whiteouts: "oci", strictXattrs: false, warn: () => {} },
    });
    const opened = openImage(path, { dirs: [], files: new Map([["1", tar]]) });
    const held = new HeldFiles();
    const files = held.hold(opened.files);
    const close = () => {
      held.release(files);
      remove();
    };
    return { path, tar, image: { ...opened, files }, remove: close };
  } catch (error) {
    remove();
    throw error;
  }
}
