import type { ExportedDisk } from "./exported-disks.ts";

/** What nydus-image hashes with. */
const HASH_BLOCK = 4096;

/**
 * A disk as an option that Kata Containers' shim takes from the mounts of a container's root; programs that mount those themselves
 * (`nydus-overlayfs`) leave it out.
 *
 * @see https://github.com/kata-containers/kata-containers/blob/main/docs/design/kata-nydus-design.md
 */
export function kataVolume(of: "image" | "layer", { path, tree }: ExportedDisk): string {
  const volume = {
    ...{ volume_type: `${of}_raw_block`, source: path, fs_type: "erofs", options: ["ro"] },
    ...(tree !== undefined && {
      dm_verity: {
        ...{ hashtype: "sha256", hash: tree.root, blocknum: tree.dataBlocks, blocksize: tree.dataBlock },
        ...{ hashsize: HASH_BLOCK, offset: tree.hashOffset },
      },
    }),
  };
  return `io.katacontainers.volume=${Buffer.from(JSON.stringify(volume)).toString("base64")}`;
}
