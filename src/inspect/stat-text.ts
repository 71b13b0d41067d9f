import type { ImageCounts } from "./image-counts.ts";
import type { Statistics } from "./stat.ts";

/** What nydus-image prints when the statistics go to no file. */
export function statisticsText({ target_enabled, base_image, target_image }: Statistics): string {
  const target = target_enabled ? `Target Image Statistics:\n${countsText(target_image)}` : "";
  return `${target}\n\nBase Image Statistics:\n${countsText(base_image)}`;
}

function countsText(c: ImageCounts): string {
  const row = ([name, value]: readonly [string, number]) => `${`${name}:`.padEnd(24)}${value}`;
  const bits = (counts: readonly number[], first: number) =>
    counts.map((count, i) => `${first + i}:\t\t\t${count}`);
  const sums: readonly (readonly [string, number])[] = [
    ["Directories", c.dirs],
    ["Files", c.files],
    ["Symlinks", c.symlinks],
    ["Chunks", c.chunks],
    ["File Size", c.file_size],
    ["Padding Size", c.padding_size],
    ["Uncompressed Size", c.uncomp_size],
    ["Compressed Size", c.comp_size],
  ];
  return [
    "",
    ...sums.map(row),
    "\nFile Size Bits:\t\tFile Count:",
    ...bits(c.file_sizes, 0),
    "\nChunk Size Bits:\tChunk Count:",
    ...bits(c.chunk_sizes, 12),
    `\nRaw Content Size:\t${c.file_size}`,
    `Comp Content Size:\t${c.comp_size}`,
    `Raw Chunk Count:\t${c.chunks}`,
    `Dedup Comp Size:\t${c.dedup_comp_size}`,
    `Dedup Uncomp Size:\t${c.dedup_uncomp_size}`,
    `Dedup Chunk Count:\t${c.dedup_chunks}`,
    `Owned Comp Size:\t${c.own_comp_size}`,
    `Owned Uncomp Size:\t${c.own_uncomp_size}`,
    `Owned Chunk Count:\t${c.own_chunks}`,
    `Referenced Comp Size:\t${c.ref_comp_size}`,
    `Referenced Uncomp Size:\t${c.ref_uncomp_size}`,
    `Referenced Chunk Count:\t${c.ref_chunks}`,
    "",
  ].join("\n");
}
