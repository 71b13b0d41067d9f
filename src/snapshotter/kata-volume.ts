import type { ExportedDisk } from "./exported-disks.ts";

/** What nydus-image hashes with. */
const HASH_BLOCK = 4096;
const INFO = /^(\d+),(\d+),sha256:([0-9a-f]{64})$/;

/**
 * A disk as an option that Kata Containers' shim takes from the mounts of a container's root; programs that mount those themselves
 * (`nydus-overlayfs`) leave it out.
 *
 * @param blockSize of what is hashed
 * @see https://github.com/kata-containers/kata-containers/blob/main/docs/design/kata-nydus-design.md
 */
export function kataVolume(of: "image" | "layer", { path, info }: ExportedDisk, blockSize: number): string {
  const [, blocknum, offset, hash] = INFO.exec(info) ?? [];
  const volume = {
    ...{ volume_type: `${of}_raw_block`, source: path, fs_type: "erofs", options: ["ro"] },
    ...(hash !== undefined && {
      dm_verity: {
        ...{ hashtype: "sha256", hash, blocknum: Number(blocknum), blocksize: blockSize },
        ...{ hashsize: HASH_BLOCK, offset: Number(offset) },
      },
    }),
  };
  return `io.katacontainers.volume=${Buffer.from(JSON.stringify(volume)).toString("base64")}`;
}
