/** Mount options that are the mount's, whatever is mounted; all others are the file system's. */
const OF_MOUNT = new Set([
  ...["ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "symfollow", "nosymfollow"],
  ...["atime", "noatime", "relatime", "strictatime", "diratime", "nodiratime"],
]);

export interface SplitOptions {
  /** In their order: a later word wins over its opposite. */
  readonly ofMount: readonly string[];
  readonly ofFileSystem: readonly string[];
}

/** @param lists as after each `-o`: words with commas between them */
export function splitOptions(lists: readonly string[]): SplitOptions {
  const words = lists.flatMap((list) => list.split(",")).filter((word) => word !== "");
  return {
    ofMount: words.filter((word) => OF_MOUNT.has(word)),
    ofFileSystem: words.filter((word) => !OF_MOUNT.has(word)),
  };
}
