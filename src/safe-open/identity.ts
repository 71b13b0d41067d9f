import { type BigIntStats, fstatSync, type Stats } from "node:fs";

/** Which file it is, as long as one has it open: numbers of inodes are used again. */
export interface Identity {
  readonly dev: number;
  readonly ino: number;
  /** When it was made, ms; 0 where the file system does not know. */
  readonly born: number;
}

export const identityOf = ({ dev, ino, birthtimeMs: born }: Stats): Identity => ({ dev, ino, born });

export const isSame = (one: Identity, other: Identity): boolean =>
  one.dev === other.dev && one.ino === other.ino && one.born === other.born;

/**
 * What a file is and what changes when it is written to, as text; undefined for what is no regular file.
 *
 * @param fd of it
 */
export function versionOf(fd: number): string | undefined {
  const stats: BigIntStats = fstatSync(fd, { bigint: true });
  if (!stats.isFile()) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}
