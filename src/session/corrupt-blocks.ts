import type { OnCorrupt } from "../blob/checked-reader.ts";
import { BlobFiles } from "../blob/blob-files.ts";
import type { BlobFile } from "../blob/locate.ts";
import type { Image } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import { placesOn, whoseBytes } from "../fs/whose-bytes.ts";

/** Messages of one thread: finding the file is a walk of the image. */
const MOST = 16;

/**
 * Says which block of an exported disk is corrupt, and which layer and file it is of.
 *
 * @param files of which the first is the disk
 */
export function corruptBlocks(
  image: Image,
  files: readonly BlobFile[],
  say: (message: string) => void,
): OnCorrupt {
  let said = 0;
  return (address, length, problem) => {
    if (said++ >= MOST) return;
    const fs = new ImageFileSystem(image, new BlobFiles([], () => {}));
    const whose = whoseBytes(image, fs, placesOn(image), address, length);
    const last = said === MOST ? "; further ones are counted only" : "";
    say(`${files[0]?.path}: ${problem}, byte ${address}: ${whose}${last}`);
  };
}
