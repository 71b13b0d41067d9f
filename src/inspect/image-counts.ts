/** Counts of one image; keys and their order are nydus-image's. Sizes are bytes. */
export interface ImageCounts {
  /** Names, not inodes: a file with three names counts three times here, and once below. */
  dirs: number;
  files: number;
  symlinks: number;
  chunks: number;
  file_size: number;
  comp_size: number;
  /** Files each padded to 4096. */
  uncomp_size: number;
  padding_size: number;
  /** How many chunks there would be with chunks of 2^12 … 2^20 bytes. */
  chunk_sizes: number[];
  /** Files by the number of bits of their size, 44 and above together. */
  file_sizes: number[];
  /** Only nydus-image's mode for directories of images counts these. */
  dedup_chunks: number;
  dedup_comp_size: number;
  dedup_uncomp_size: number;
  /** Different chunks that the base image does not have; `ref_*` those that it has, too. */
  own_chunks: number;
  own_comp_size: number;
  own_uncomp_size: number;
  ref_chunks: number;
  ref_comp_size: number;
  ref_uncomp_size: number;
}

const SMALLEST_CHUNK_BITS = 12;
const LARGEST_CHUNK_BITS = 20;
const MOST_SIZE_BITS = 44;

export const noCounts = (): ImageCounts => ({
  dirs: 0,
  files: 0,
  symlinks: 0,
  chunks: 0,
  file_size: 0,
  comp_size: 0,
  uncomp_size: 0,
  padding_size: 0,
  chunk_sizes: new Array<number>(LARGEST_CHUNK_BITS - SMALLEST_CHUNK_BITS + 1).fill(0),
  file_sizes: new Array<number>(MOST_SIZE_BITS + 1).fill(0),
  dedup_chunks: 0,
  dedup_comp_size: 0,
  dedup_uncomp_size: 0,
  own_chunks: 0,
  own_comp_size: 0,
  own_uncomp_size: 0,
  ref_chunks: 0,
  ref_comp_size: 0,
  ref_uncomp_size: 0,
});

/** Counts a file by its size. */
export function addSize(counts: ImageCounts, size: number): void {
  const bits = size === 0 ? 0 : Math.floor(Math.log2(size)) + 1;
  const row = Math.min(bits, MOST_SIZE_BITS);
  counts.file_sizes[row] = (counts.file_sizes[row] ?? 0) + 1;
  counts.file_size += size;
  counts.padding_size += Math.ceil(size / 4096) * 4096 - size;
  for (const [i, n] of counts.chunk_sizes.entries())
    counts.chunk_sizes[i] = n + Math.ceil(size / 2 ** (SMALLEST_CHUNK_BITS + i));
}
