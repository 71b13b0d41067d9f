import { isDots } from "../bytes/name.ts";
import { newEntry, ROOT_NODE } from "../vfs/file-system.ts";
import { metadataOf } from "./metadata.ts";
import type { OpenedImage } from "./open-image.ts";

/** What is in the root of an image. */
export function rootNames(opened: OpenedImage): Uint8Array[] {
  const fs = metadataOf(opened);
  const entry = newEntry();
  const names: Uint8Array[] = [];
  for (let more = fs.entry(ROOT_NODE, 0, entry); more === 1; more = fs.nextEntry(entry)) {
    const { bytes, nameAt, nameLength } = entry;
    if (!isDots(bytes, nameAt, nameLength)) names.push(bytes.slice(nameAt, nameAt + nameLength));
  }
  return names;
}
