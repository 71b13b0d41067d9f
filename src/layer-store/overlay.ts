import { type BigIntStats, chmodSync, lchownSync, lstatSync } from "node:fs";
import { S_IFCHR } from "../bytes/errno.ts";
import { setTimes, setXattr, xattrsOf } from "../syscalls/attributes.ts";
import { makeNode } from "../syscalls/mknod.ts";

const OPAQUE = Buffer.from("trusted.overlay.opaque");
const YES = Buffer.from("y");
const BILLION = 1_000_000_000n;
const OWN = /^(trusted|user)\.overlay\./;

/**
 * How overlayfs says in a directory of an upper layer what of the lower ones is gone.
 *
 * @see https://docs.kernel.org/filesystems/overlayfs.html (whiteouts and opaque directories)
 */
export const makeWhiteout = (path: Uint8Array): void => makeNode(path, S_IFCHR, 0);

/** Hides what lies below a directory. */
export const makeOpaque = (path: Uint8Array): void => setXattr(path, OPAQUE, YES);

/** What there is below, as overlayfs would show it. */
interface Lower {
  readonly path: Buffer;
  readonly stats: BigIntStats;
}

/** Layers as overlayfs has them one above the other, the highest first. */
export class LowerDirectories {
  private readonly roots: readonly Buffer[];

  constructor(roots: readonly string[]) {
    this.roots = roots.map((root) => Buffer.from(root));
  }

  /** @param names on the way; none: the root */
  has(names: readonly Uint8Array[]): boolean {
    return this.find(names) !== undefined;
  }

  /** Gives a directory the attributes that it has below. @returns false when none is there */
  dress(path: Buffer, names: readonly Uint8Array[]): boolean {
    const lower = this.find(names);
    if (lower === undefined || !lower.stats.isDirectory()) return false;
    const { uid, gid, mode, mtimeNs } = lower.stats;
    lchownSync(path, Number(uid), Number(gid));
    chmodSync(path, Number(mode) & 0o7777);
    for (const { name, value } of xattrsOf(lower.path))
      if (!OWN.test(Buffer.from(name).toString("latin1"))) setXattr(path, name, value);
    const nsec = ((mtimeNs % BILLION) + BILLION) % BILLION;
    setTimes(path, Number((mtimeNs - nsec) / BILLION), Number(nsec));
    return true;
  }

  private find(names: readonly Uint8Array[]): Lower | undefined {
    for (const root of this.roots) {
      const found = findIn(root, names);
      if (found !== "below") return found;
    }
    return undefined;
  }
}

/** @returns "below": this layer says nothing of it */
function findIn(root: Buffer, names: readonly Uint8Array[]): Lower | "below" | undefined {
  let path = root;
  let isOpaque = false;
  for (let i = 0; ; i++) {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) return isOpaque ? undefined : "below";
    const name = names[i];
    if (name === undefined) return isWhiteout(stats) ? undefined : { path, stats };
    if (!stats.isDirectory()) return undefined;
    isOpaque ||= xattrsOf(path).some((xattr) => OPAQUE.equals(xattr.name) && YES.equals(xattr.value));
    path = Buffer.concat([path, Buffer.from("/"), name]);
  }
}

const isWhiteout = (stats: BigIntStats): boolean => stats.isCharacterDevice() && stats.rdev === 0n;
