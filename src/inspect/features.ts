/** Names that nydus-image gives to the bits of its tables. Sources: nydus rafs/src/metadata/mod.rs, storage/src/device.rs. */
type Names = readonly (readonly [bit: number, name: string])[];

/** Flags of the RAFS superblock, in the order of their bits; the misspelling is nydus-image's. */
const RAFS_FLAGS: Names = [
  [0x1, "COMPRESSION_NONE"],
  [0x4, "HASH_BLAKE3"],
  [0x8, "HASH_SHA256"],
  [0x10, "EXPLICIT_UID_GID"],
  [0x20, "HAS_XATTR"],
  [0x100, "INLINED_CHUNK_DIGEST"],
  [0x200, "TARTFS_MODE"],
  [0x0100_0000, "ENCRYPTION_NONE"],
];

const BLOB_FEATURES: Names = [
  [0x1, "ALIGNED"],
  [0x2, "INLINED_FS_META"],
  [0x4, "CHUNK_INFO_V2"],
  [0x8, "ZRAN"],
  [0x10, "SEPARATE"],
  [0x20, "INLINED_CHUNK_DIGEST"],
  [0x40, "TARFS"],
  [0x80, "BATCH"],
  [0x100, "ENCRYPTED"],
  [0x200, "IS_CHUNKDICT_GENERATED"],
  [0x400, "IS_SEPARATED_WITH_PREFETCH_FILES"],
  [0x800, "EXTERNAL"],
  [0x1000_0000, "HAS_TAR_HEADER"],
  [0x2000_0000, "HAS_TOC"],
  [0x4000_0000, "CAP_TAR_TOC"],
];

/** The short words of `check`, which leaves TARFS out. */
const BLOB_WORDS: Names = [
  [0x1, "aligned"],
  [0x80, "batch"],
  [0x4000_0000, "cap_toc"],
  [0x20, "chunk-digest"],
  [0x4, "chunk-v2"],
  [0x2, "fs-meta"],
  [0x10, "separate"],
  [0x1000_0000, "tar-header"],
  [0x2000_0000, "toc"],
  [0x8, "zran"],
  [0x100, "encrypted"],
  [0x200, "is-chunkdict-generated"],
];

const namesOf = (bits: number, names: Names): string[] =>
  names.filter(([bit]) => bits & bit).map(([, name]) => name);

export const rafsFlagNames = (flags: number): string => namesOf(flags, RAFS_FLAGS).join(" | ");
export const blobFeatureNames = (features: number): string => namesOf(features, BLOB_FEATURES).join(" | ");
export const blobFeatureWords = (features: number): string => namesOf(features, BLOB_WORDS).join(" ");

/** By the number in a blob table row. */
export const COMPRESSORS: readonly string[] = ["none", "lz4_block", "gzip", "zstd"];
export const DIGESTERS: readonly string[] = ["Blake3", "Sha256"];
