import {
  CHUNK_48BIT,
  CHUNK_INDEX_SIZE,
  CHUNK_INDEXES,
  chunkArrayAt,
  putChunkIndex,
  putWideChunkIndex,
} from "../erofs/chunk.ts";
import {
  BLOCK,
  type ChunkMap,
  chunkMapOf,
  isForNydusd,
  isWideBlock,
  runBits,
  runStride,
} from "./chunk-map.ts";
import type { Plan } from "./plan.ts";

/** Writes the chunk indexes of an image's files: what an inode says of its own, then the entries behind it. */
export class ChunkIndexes {
  private readonly plan: Plan;
  private readonly v: DataView;
  /** By blob: the number of the next chunk. */
  private readonly next: Uint32Array;
  /** Of the file at hand, when it is a sparse one. */
  private map: ChunkMap | undefined;
  // Else its data is one run: its first block, entries, blocks from one to the next.
  private first = 0;
  private count = 0;
  private step = 0;
  private isWide = false;
  private readonly blockSize: number;

  constructor(plan: Plan, v: DataView) {
    this.plan = plan;
    this.v = v;
    this.blockSize = 2 ** plan.form.blockBits;
    this.next = new Uint32Array(plan.blobs.length);
  }

  /** What the inode of a file says of its index; `write` is to follow. */
  formatOf(inode: number): number {
    const { tree, form, chunkSize, allBlobs } = this.plan;
    // Made when it is written: those of all files together may be as long as the image.
    const map = tree.size[inode] > 0 ? chunkMapOf(tree, inode) : undefined;
    this.map = map;
    if (map !== undefined) {
      this.isWide = map.blocks.some((block) => isWideBlock(this.blockOf(block * BLOCK)));
      return this.format(map.bits);
    }
    const size = tree.size[inode];
    const bits = runBits(size, chunkSize);
    const stride =
      size === 0 || form.isWhole ? 2 ** bits : runStride(bits, chunkSize, allBlobs[tree.blob[inode]].size);
    this.first = this.blockOf(tree.where[inode]);
    this.count = Math.ceil(size / stride);
    this.step = stride / this.blockSize;
    this.isWide = this.count > 0 && isWideBlock(this.first + (this.count - 1) * this.step);
    return this.format(bits);
  }

  /** @param at where the inode is written */
  write(inode: number, at: number): void {
    const entries = chunkArrayAt(this.v, at);
    const { map } = this;
    if (map === undefined) this.writeRun(inode, entries);
    else this.writeMap(map, entries);
  }

  private writeRun(inode: number, entries: number): void {
    const { plan, first, count, step, next } = this;
    const blob = plan.tree.blob[inode];
    const device = plan.blobOf[blob] + 1;
    const isNumbered = count > 0 && device > 0 && isForNydusd(plan.allBlobs[blob].size);
    for (let k = 0; k < count; k++)
      this.put(entries + CHUNK_INDEX_SIZE * k, first + k * step, device, isNumbered ? next[device - 1]++ : 0);
  }

  /** Chunks of a sparse file have no numbers: nydusd, which looks at those, cannot read it. */
  private writeMap({ blocks, blobs }: ChunkMap, entries: number): void {
    for (let k = 0; k < blocks.length; k++)
      this.put(
        entries + CHUNK_INDEX_SIZE * k,
        blocks[k] < 0 ? blocks[k] : this.blockOf(blocks[k] * BLOCK),
        this.plan.blobOf[blobs[k]] + 1,
        0,
      );
  }

  /** @param at byte of a blob; in an image that holds its data itself, of what lies behind the metadata */
  private blockOf(at: number): number {
    const { form, size } = this.plan;
    return (form.isWhole ? size + at : at) / this.blockSize;
  }

  private put(entry: number, block: number, device: number, number: number): void {
    if (this.isWide) putWideChunkIndex(this.v, entry, block, device);
    else putChunkIndex(this.v, entry, block, device, number);
  }

  private format(bits: number): number {
    return CHUNK_INDEXES | (this.isWide ? CHUNK_48BIT : 0) | (bits - this.plan.form.blockBits);
  }
}
