/** As which disks images are for virtual machines, as nydus-snapshotter names it. */
export const EXPORT_MODES = [
  "layer_block",
  "image_block",
  "layer_block_with_verity",
  "image_block_with_verity",
] as const;
export type ExportMode = (typeof EXPORT_MODES)[number];

/** What becomes a disk, and whether a hash tree follows it. */
export const partsOf = (mode: ExportMode) =>
  ({
    of: mode.startsWith("layer") ? "layer" : "image",
    hasVerity: mode.endsWith("_with_verity"),
  }) as const;
