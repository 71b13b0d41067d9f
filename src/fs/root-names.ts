import { BlobFiles } from "../blob/blob-files.ts";
import { isDots } from "../bytes/name.ts";
import { Image } from "../erofs/image.ts";
import { newEntry, ROOT_NODE } from "../vfs/file-system.ts";
import { ImageFileSystem } from "./image-file-system.ts";
import type { OpenedImage } from "./open-image.ts";

/** What is in the root of an image. */
export function rootNames({ handle, files }: OpenedImage): Uint8Array[] {
  const fs = new ImageFileSystem(new Image(handle), new BlobFiles(files, () => {}));
  const entry = newEntry();
  const names: Uint8Array[] = [];
  for (let more = fs.entry(ROOT_NODE, 0, entry); more === 1; more = fs.nextEntry(entry)) {
    const { bytes, nameAt, nameLength } = entry;
    if (!isDots(bytes, nameAt, nameLength)) names.push(bytes.slice(nameAt, nameAt + nameLength));
  }
  return names;
}
