import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BlobFiles } from "../../src/blob/blob-files.ts";
import { type CreateRequest, createImage } from "../../src/mkfs/create.ts";
import { Image } from "../../src/erofs/image.ts";
import { ImageFileSystem } from "../../src/fs/image-file-system.ts";
import { type OpenedImage, openImage } from "../../src/fs/open-image.ts";
import { wholeFile } from "../../src/tar/layer-file.ts";
import { TARS } from "./tars.ts";

/** How targets build: nothing left to chance, side blobs and decompressed tars in `blobDir`. */
export const requestOf = (
  layer: string,
  bootstrap: string,
  blobId: string | undefined,
  blobDir: string,
): CreateRequest => ({
  ...{
    layer: wholeFile(layer),
    bootstrap,
    blobId,
    blobDir,
    blobLink: "none",
    ignoreZeros: false,
    isRepeatable: false,
  },
  ...{ chunkSize: 0x10_0000, prefetch: [], whiteouts: "oci", warn: () => {} },
});

/** An image of one of the tars that fuzzing begins with. */
export async function openSeedImage(
  dir: string,
  tar = TARS[0],
): Promise<{ opened: OpenedImage; fs: ImageFileSystem }> {
  mkdirSync(dir, { recursive: true });
  const [layer, bootstrap] = ["blob", "boot"].map((name) => join(dir, name));
  writeFileSync(layer, tar);
  await createImage(requestOf(layer, bootstrap, "blob", dir));
  const opened = openImage(bootstrap, { dirs: [dir], files: new Map() });
  return { opened, fs: new ImageFileSystem(new Image(opened.handle), new BlobFiles(opened.files, () => {})) };
}
