import { S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { FLAG, NONE, ROOT, type Tree } from "../mkfs/tree.ts";
import type { Fate } from "./fate.ts";
import type { LayeredImage } from "./layered-image.ts";
import type { Versions } from "./versions.ts";

/** Why bytes of files are hidden. */
export type HiddenBy = Exclude<Fate, "seen" | "attributes">;

/** What a layer brought, and what became of it, in bytes of files; a file of several names counts once. */
export interface LayerUsage {
  readonly layer: number;
  own: number;
  seen: number;
  readonly hidden: Record<HiddenBy, number>;
  /** Markers that take nothing away. */
  idle: number;
  /** Names that its tar has, markers among them. */
  entries: number;
}

/** What lies below a directory, in bytes of files; one of several names counts at one of them. */
export interface DirectoryUsage {
  readonly node: number;
  readonly depth: number;
  readonly seen: number;
  readonly hidden: number;
  /** Names below it that are seen. */
  readonly entries: number;
}

/** What names of one kind come to, in bytes of files; one of several names counts at one of them. */
export interface KindUsage {
  /** Bytes, as characters of the same numbers. */
  readonly kind: string;
  seen: number;
  hidden: number;
  /** Names that are seen. */
  entries: number;
}

/** Says of which kind a name is; undefined: of none. */
export type KindOf = (tree: Tree, node: number, inode: number) => string | undefined;

/** By layer, the lowest first. */
export function usageByLayer({ tree, versions, layers }: LayeredImage): LayerUsage[] {
  const all = layers.map(
    (_, i): LayerUsage => ({
      ...{ layer: i + 1, own: 0, seen: 0, idle: 0, entries: 0 },
      hidden: { overwritten: 0, whiteout: 0, opaque: 0, replaced: 0 },
    }),
  );
  const of = (layer: number) => all[layer - 1] as LayerUsage;
  for (const { size, version, layer } of filesOf(tree, versions)) {
    const usage = of(layer);
    const fate = versions.fate(version);
    usage.own += size;
    if (fate === "seen") usage.seen += size;
    else (usage.hidden[fate as HiddenBy] as number) += size;
  }
  for (let version = 0; version < versions.count; version++) {
    const isNamed = ((tree.flags[versions.inode[version] as number] as number) & FLAG.IMPLICIT) === 0;
    if (isNamed && versions.isVersion(version)) of(versions.layer[version] as number).entries++;
  }
  for (const { layer, hides } of versions.markers) {
    of(layer).entries++;
    if (hides === 0) of(layer).idle++;
  }
  return all;
}

/** Directories down to a depth; also those that are not there any more, and have left bytes. */
export function usageByDirectory({ tree, versions }: LayeredImage, depth: number): DirectoryUsage[] {
  const seen = new Float64Array(tree.nodes);
  const hidden = new Float64Array(tree.nodes);
  const entries = new Float64Array(tree.nodes);
  const addAbove = (sums: Float64Array, node: number, size: number) => {
    for (let at = tree.parent[node] as number; at !== NONE; at = tree.parent[at] as number)
      sums[at] = (sums[at] as number) + size;
  };
  for (const { size, version } of filesOf(tree, versions))
    addAbove(versions.fate(version) === "seen" ? seen : hidden, versions.node[version] as number, size);
  for (let node = ROOT + 1; node < tree.nodes; node++) if (tree.isLive(node)) addAbove(entries, node, 1);
  const found: DirectoryUsage[] = [];
  for (let node = 0; node < tree.nodes; node++) {
    const usage = {
      seen: seen[node] as number,
      hidden: hidden[node] as number,
      entries: entries[node] as number,
    };
    if (usage.seen + usage.hidden + usage.entries === 0 && !tree.isDirectory(node)) continue;
    const own = depthOf(tree, node);
    if (own <= depth) found.push({ node, depth: own, ...usage });
  }
  return found;
}

/** By whatever names have in common. */
export function usageByKind({ tree, versions }: LayeredImage, kindOf: KindOf): KindUsage[] {
  const all = new Map<string, KindUsage>();
  const of = (node: number, inode: number): KindUsage | undefined => {
    const kind = kindOf(tree, node, inode);
    if (kind === undefined) return undefined;
    const known = all.get(kind) ?? { kind, seen: 0, hidden: 0, entries: 0 };
    all.set(kind, known);
    return known;
  };
  for (const { size, version } of filesOf(tree, versions)) {
    const usage = of(versions.node[version] as number, versions.inode[version] as number);
    if (usage !== undefined) usage[versions.fate(version) === "seen" ? "seen" : "hidden"] += size;
  }
  for (let node = ROOT + 1; node < tree.nodes; node++) {
    const usage = tree.isLive(node) ? of(node, tree.inode[node] as number) : undefined;
    if (usage !== undefined) usage.entries++;
  }
  return [...all.values()];
}

function depthOf(tree: Tree, node: number): number {
  let depth = 0;
  for (let at = tree.parent[node] as number; at !== NONE; at = tree.parent[at] as number) depth++;
  return depth;
}

/** A file, once, whatever names it has: which layer brought it, and the version that says what became of it. */
interface FileOnce {
  readonly size: number;
  readonly layer: number;
  readonly version: number;
}

/** Of several names one that is seen says it, else the one that went last. */
function* filesOf(tree: Tree, versions: Versions): Generator<FileOnce> {
  const deciding = new Int32Array(tree.inodes).fill(NONE);
  const brought = new Uint16Array(tree.inodes);
  for (let version = 0; version < versions.count; version++) {
    const inode = versions.inode[version] as number;
    if (!versions.isVersion(version) || ((tree.mode[inode] as number) & S_IFMT) !== S_IFREG) continue;
    const other = deciding[inode] as number;
    // Rows come layer by layer.
    if (other === NONE) brought[inode] = versions.layer[version] as number;
    if (other === NONE || endOf(versions, version) > endOf(versions, other)) deciding[inode] = version;
  }
  for (let inode = 0; inode < tree.inodes; inode++) {
    const version = deciding[inode] as number;
    if (version !== NONE)
      yield { size: tree.size[inode] as number, layer: brought[inode] as number, version };
  }
}

const endOf = ({ endedIn }: Versions, version: number): number =>
  (endedIn[version] as number) === 0 ? Number.POSITIVE_INFINITY : (endedIn[version] as number);
