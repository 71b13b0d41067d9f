import { S_IFDIR } from "../bytes/errno.ts";
import { usageByDirectory } from "../layers/usage.ts";
import type { Rows } from "./rows.ts";
import { type Scope, select } from "./select.ts";

/** A row of a tree, as it is drawn. */
export interface OutlineRow {
  readonly row: number;
  /** 0: where the tree begins. */
  readonly depth: number;
  /** Of those in its directory. */
  readonly isLast: boolean;
  /** Bytes of files, of a directory those of all that is in it, each file once; what is hidden, too, where that is shown. */
  readonly bytes: number;
  /** The lowest and the uppermost layer that it, and what is in it, is from. */
  readonly layers: readonly [number, number];
}

/** What of a tree is drawn. */
export interface OutlineTerms {
  /** Levels below where it begins. */
  readonly depth: number;
  readonly isOfDirectories: boolean;
  readonly hasHidden: boolean;
}

const SEEN_AND_HIDDEN: Scope = new Set(["seen", "overwritten", "whiteout", "opaque", "replaced"]);

/** From a node down, directories before what is in them. @throws OperationalError where nobody knows the layers */
export function outline(rows: Rows, start: number, terms: OutlineTerms): OutlineRow[] {
  const { tree } = rows;
  const all = select(rows, terms.hasHidden ? SEEN_AND_HIDDEN : "seen", [], start);
  const depths = depthsBelow(rows, start);
  const depthOf = (row: number) => depths[rows.node(row)] as number;
  const lowest = new Uint16Array(tree.nodes).fill(0xffff);
  const uppermost = new Uint16Array(tree.nodes);
  const widen = (node: number, from: number, to: number): void => {
    lowest[node] = Math.min(lowest[node] as number, from);
    uppermost[node] = Math.max(uppermost[node] as number, to);
  };
  for (const row of all) widen(rows.node(row), rows.layer(row), rows.layer(row));
  // A name is made after the directory that it is in: all below has come before it is handed up.
  for (let node = tree.nodes - 1; node > start; node--)
    widen(tree.parent[node] as number, lowest[node] as number, uppermost[node] as number);
  const sums = new Map(
    usageByDirectory(rows.image, Number.POSITIVE_INFINITY).map(({ node, seen, hidden }) => [
      node,
      seen + (terms.hasHidden ? hidden : 0),
    ]),
  );
  const shown = all.filter(
    (row) => depthOf(row) <= terms.depth && (!terms.isOfDirectories || rows.type(row) === S_IFDIR),
  );
  const isLast = lastOnes(Array.from(shown, depthOf));
  return Array.from(shown, (row, i) => {
    const node = rows.node(row);
    const isDirectory = rows.type(row) === S_IFDIR;
    const layer = rows.layer(row);
    return {
      ...{ row, depth: depthOf(row), isLast: isLast[i] as boolean },
      bytes: isDirectory ? (sums.get(node) ?? 0) : rows.size(row),
      layers: isDirectory ? [lowest[node] as number, uppermost[node] as number] : [layer, layer],
    };
  });
}

function depthsBelow({ tree }: Rows, start: number): Int32Array {
  const depths = new Int32Array(tree.nodes);
  // A name is made after the directory that it is in.
  for (let node = start + 1; node < tree.nodes; node++)
    depths[node] = (depths[tree.parent[node] as number] as number) + 1;
  depths.fill(0, 0, start + 1);
  return depths;
}

/** Which rows of a walk are the last of those beside them, by their depths. */
function lastOnes(depths: readonly number[]): boolean[] {
  const isLast: boolean[] = [];
  /** By depth: whether something beside comes behind. */
  let beside: boolean[] = [];
  for (let i = depths.length - 1; i >= 0; i--) {
    const depth = depths[i] as number;
    isLast[i] = beside[depth] !== true;
    beside = beside.slice(0, depth);
    beside[depth] = true;
  }
  return isLast;
}
