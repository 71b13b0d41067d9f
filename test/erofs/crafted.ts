import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { placesOf, type Scratch, scratchDir } from "../support/image.ts";

export const BLOCK = 4096;
/** The root's inode is at the start of block 1. */
export const ROOT_AT = 0x1000;
/** `i_format` of extended inodes by data layout. */
export const HEAD = { PLAIN: 1, INLINE: 5, CHUNKED: 9 };
export const DIRECTORY = 0o040755;
export const FILE = 0o100644;

/** A plain EROFS image of 4096-byte blocks, written by hand where no builder would write it. */
export class Crafted {
  readonly bytes: Uint8Array;
  readonly v: DataView;

  constructor(blocks: number, incompat = 0, devices = 0) {
    this.bytes = new Uint8Array(blocks * BLOCK);
    this.v = new DataView(this.bytes.buffer);
    this.v.setUint32(1024, 0xe0f5e1e2, true);
    this.v.setUint8(1024 + 12, 12);
    this.v.setUint16(1024 + 14, ROOT_AT / 32, true);
    this.v.setUint32(1024 + 80, incompat, true);
    this.v.setUint16(1024 + 86, devices, true);
    this.v.setUint16(1024 + 88, 9, true);
  }

  inode(at: number, format: number, mode: number, size: number, u: number, icount = 0): void {
    const { v } = this;
    v.setUint16(at, format, true);
    v.setUint16(at + 2, icount, true);
    v.setUint16(at + 4, mode, true);
    v.setUint32(at + 8, size >>> 0, true);
    v.setUint32(at + 12, Math.floor(size / 2 ** 32), true);
    v.setUint32(at + 16, u, true);
    v.setUint32(at + 44, 1, true);
  }

  /** Directory blocks from block `first` on: `.`, `..` and the entries, of which names must be in order. */
  directory(
    first: number,
    self: number,
    parent: number,
    entries: [name: string, nid: number, type: number][],
  ): number {
    const all: [string, number, number][] = [[".", self, 2], ["..", parent, 2], ...entries];
    let block = first;
    let used = 0;
    for (let from = 0; from < all.length; block++) {
      let to = from;
      for (used = 0; to < all.length && used + 12 + all[to][0].length <= BLOCK; to++)
        used += 12 + all[to][0].length;
      let name = (to - from) * 12;
      for (let i = from; i < to; i++) {
        const at = block * BLOCK + (i - from) * 12;
        this.v.setUint32(at, all[i][1], true);
        this.v.setUint16(at + 8, name, true);
        this.v.setUint8(at + 10, all[i][2]);
        this.bytes.set(Buffer.from(all[i][0]), block * BLOCK + name);
        name += all[i][0].length;
      }
      from = to;
    }
    return (block - first - 1) * BLOCK + used;
  }

  save(): Scratch {
    const dir = scratchDir();
    writeFileSync(join(dir, "image"), this.bytes);
    const path = join(dir, "image");
    // As device it takes itself: any file that is long enough will do.
    return { dir, path, places: placesOf(new Array(this.v.getUint16(1024 + 86, true)).fill(path)) };
  }
}
