import type { SnapshotKind } from "./record.ts";

/** A mount that containerd is to make. */
export interface MountAnswer {
  /** The last is for virtual machines: a helper of that name mounts it elsewhere. */
  readonly type: "overlay" | "bind" | "fuse.nydus-overlayfs";
  readonly source: string;
  readonly options: readonly string[];
}

/** What a container sees as its root. */
export interface Stack {
  readonly kind: SnapshotKind;
  /** Directories of what is below, the highest first. */
  readonly lowers: readonly string[];
  /** An empty directory: overlayfs wants something below, and some versions of containerd a word for it. */
  readonly empty: string;
  readonly upper: string;
  readonly work: string;
  /** Options of overlayfs besides. */
  readonly extra?: readonly string[];
}

/**
 * What is written to is always an overlay, also where nothing is below: containerd's own unpacker writes whiteouts as overlayfs
 * has them into its upper directory, but removes files from a bind mount, where nothing is that it could remove.
 * What is only read is a plain bind mount where it can be one, as image volumes want it.
 */
export function mountAnswers({ kind, lowers, empty, upper, work, extra = [] }: Stack): MountAnswer[] {
  const [highest = upper] = lowers;
  if (kind === "active") {
    const below = lowers.length > 0 ? lowers : [empty];
    const options = [...extra, `workdir=${work}`, `upperdir=${upper}`, `lowerdir=${below.join(":")}`];
    return [{ type: "overlay", source: "overlay", options }];
  }
  if (lowers.length <= 1) return [{ type: "bind", source: highest, options: ["ro", "rbind"] }];
  return [{ type: "overlay", source: "overlay", options: [...extra, `lowerdir=${lowers.join(":")}`] }];
}

/**
 * The same for a container in a virtual machine, which mounts disks itself: nothing is below it here.
 *
 * @param volumes options that name the disks
 */
export function vmAnswers(stack: Omit<Stack, "lowers">, volumes: readonly string[]): MountAnswer[] {
  const { kind, empty, upper, work, extra = [] } = stack;
  const own = kind === "active" ? [`workdir=${work}`, `upperdir=${upper}`] : [];
  const options = [...extra, ...own, `lowerdir=${empty}`, ...volumes];
  return [{ type: "fuse.nydus-overlayfs", source: "overlay", options }];
}

const UPPER = "upperdir=";

/** The upper directory of a mount that was answered with; undefined: it has none. */
export const upperOf = (options: readonly string[]): string | undefined =>
  options.find((option) => option.startsWith(UPPER))?.slice(UPPER.length);
