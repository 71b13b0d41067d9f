import { IMAGE_FLAGS } from "../mounts/defaults.ts";
import { splitOptions } from "../mounts/options.ts";
import { MOUNT_ATTR } from "../syscalls/mount-api.ts";

/** Mount options as the mount calls take them. */
export interface KernelOptions {
  /** MOUNT_ATTR_* bits. */
  readonly attributes: number;
  /** Parameters of the file system; flags have no value. */
  readonly parameters: readonly (readonly [key: string, value?: string])[];
}

/** By word: bits taken away, bits given. An image stays read-only whatever is asked for: nothing takes that bit away. */
const WORDS: Readonly<Record<string, readonly [cleared: number, set: number]>> = {
  ro: [0, MOUNT_ATTR.RDONLY],
  suid: [MOUNT_ATTR.NOSUID, 0],
  nosuid: [0, MOUNT_ATTR.NOSUID],
  dev: [MOUNT_ATTR.NODEV, 0],
  nodev: [0, MOUNT_ATTR.NODEV],
  exec: [MOUNT_ATTR.NOEXEC, 0],
  noexec: [0, MOUNT_ATTR.NOEXEC],
  symfollow: [MOUNT_ATTR.NOSYMFOLLOW, 0],
  nosymfollow: [0, MOUNT_ATTR.NOSYMFOLLOW],
  atime: [MOUNT_ATTR.ATIME, 0],
  relatime: [MOUNT_ATTR.ATIME, 0],
  noatime: [MOUNT_ATTR.ATIME, MOUNT_ATTR.NOATIME],
  strictatime: [MOUNT_ATTR.ATIME, MOUNT_ATTR.STRICTATIME],
  diratime: [MOUNT_ATTR.NODIRATIME, 0],
  nodiratime: [0, MOUNT_ATTR.NODIRATIME],
};

/** @param words as after `-o`, without those of mount(8) */
export function kernelOptions(words: readonly string[]): KernelOptions {
  const { ofMount, ofFileSystem } = splitOptions(words);
  let attributes = 0;
  for (const word of [...IMAGE_FLAGS, ...ofMount]) {
    const [cleared, set] = WORDS[word] ?? [0, 0];
    attributes = (attributes & ~cleared) | set;
  }
  const parameters = ofFileSystem.map((word): [string, string?] => {
    const cut = word.indexOf("=");
    return cut < 0 ? [word] : [word.slice(0, cut), word.slice(cut + 1)];
  });
  return { attributes, parameters };
}
