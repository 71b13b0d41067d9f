import { isDots } from "../bytes/name.ts";
import { DIRENT_SIZE, direntCount, direntNameOff, direntNid, nameLength } from "./dirent.ts";
import type { Image } from "./image.ts";
import { inodeSize } from "./inode.ts";

/** Told of each entry of a directory but `.` and `..`; `at` is the byte offset of its name in the image. */
export type OnName = (nid: number, at: number, length: number) => void;

/** Goes through one directory of a checked image, block by block. @param at byte offset of its inode */
export function forEachDirent(image: Image, at: number, each: OnName): void {
  const { v, bytes, blockSize } = image;
  const size = inodeSize(v, at);
  for (let k = 0; k * blockSize < size; k++) {
    const block = image.flatBlockAt(at, k);
    const end = Math.min(blockSize, size - k * blockSize);
    const count = direntCount(v, block);
    for (let i = 0; i < count; i++) {
      const entry = block + i * DIRENT_SIZE;
      const name = block + direntNameOff(v, entry);
      const length = nameLength(v, bytes, block, end, i, count);
      if (!isDots(bytes, name, length)) each(direntNid(v, entry), name, length);
    }
  }
}
