/** What `--driver` takes: who shows an image. */
export const MOUNT_BACKENDS = ["auto", "erofs", "erofs-file", "erofs-loop", "fuse"] as const;
export type Driver = (typeof MOUNT_BACKENDS)[number];
