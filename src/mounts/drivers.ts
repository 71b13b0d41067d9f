/** Who may be asked to show an image: whoever can, the kernel, or a daemon. */
export const DRIVERS = ["auto", "erofs", "erofs-file", "erofs-loop", "fuse"] as const;
export type Driver = (typeof DRIVERS)[number];

/** What the kernel is tried with, in this order. */
export const BACKINGS: Readonly<Record<Exclude<Driver, "fuse">, readonly ("file" | "loop")[]>> = {
  auto: ["file", "loop"],
  erofs: ["file", "loop"],
  "erofs-file": ["file"],
  "erofs-loop": ["loop"],
};
