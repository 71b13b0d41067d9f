import { OperationalError } from "../bytes/errors.ts";
import { compareBytes } from "../bytes/name.ts";
import { FATES, type Fate } from "../layers/fate.ts";
import { sorterByName } from "../mkfs/order.ts";
import { NONE, ROOT, type Tree } from "../mkfs/tree.ts";
import { allOf } from "./predicates.ts";
import type { Predicate } from "./predicate.ts";
import { word } from "./predicate.ts";
import type { Rows } from "./rows.ts";

/** Which rows are looked at: what is seen, what is hidden and why, all of both, or markers, or those that hide nothing. */
export type Scope = "seen" | "versions" | "markers" | "idle" | ReadonlySet<Fate>;

/** Why something is hidden; a directory that is named again is not. */
const HIDDEN = FATES.filter((fate) => fate !== "seen" && fate !== "attributes");
const HIDDEN_WORDS = new Map(FATES.filter((fate) => fate !== "seen").map((fate) => [fate as string, fate]));

/** What `--hidden` takes. @throws UsageError */
export function hiddenFates(value: string): ReadonlySet<Fate> {
  if (value === "") return new Set(HIDDEN);
  const isNot = value.startsWith("!");
  const said = new Set(
    value
      .slice(isNot ? 1 : 0)
      .split(",")
      .map((each) => word(each, HIDDEN_WORDS)),
  );
  return isNot ? new Set(HIDDEN.filter((fate) => !said.has(fate))) : said;
}

/**
 * Rows from a node down that all predicates want, directories before what is in them and names as memcmp orders them; the
 * upper layer's version first.
 *
 * @throws OperationalError where nobody knows the layers that are asked for
 */
export function select(
  rows: Rows,
  scope: Scope,
  predicates: readonly Predicate[],
  start: number,
): Int32Array {
  const isWanted = allOf(rows, predicates);
  const isMeant = scopeTest(rows, scope);
  const isBelow = belowTest(rows.tree, start);
  const found: number[] = [];
  for (let row = 0; row < rows.count; row++)
    if (isMeant(row) && isBelow(rows.node(row)) && isWanted(row)) found.push(row);
  if (scope === "markers" || scope === "idle") found.sort(backwards(rows));
  return inOrder(rows, found);
}

/** Markers have no node of their own: those of a directory are put in order by name, of which the last one comes first. */
const backwards = (rows: Rows) => (a: number, b: number) => {
  const [one, other] = [rows.name(a), rows.name(b)];
  return compareBytes(other, 0, other.length, one, 0, one.length) || a - b;
};

function scopeTest(rows: Rows, scope: Scope): (row: number) => boolean {
  const { versions, layers } = rows.image;
  const isVersion = (row: number) => row < rows.versions && versions.isVersion(row);
  if (scope === "seen") return (row) => isVersion(row) && rows.isSeen(row);
  if (scope === "versions") return isVersion;
  if (layers.length === 0)
    throw new OperationalError("nobody knows which layers the image has, and what is hidden in them");
  if (scope === "markers") return (row) => row >= rows.versions;
  if (scope === "idle") return (row) => rows.marker(row)?.hides === 0;
  return (row) => isVersion(row) && scope.has(versions.fate(row));
}

function belowTest(tree: Tree, start: number): (node: number) => boolean {
  if (start === ROOT) return () => true;
  const isBelow = new Uint8Array(tree.nodes);
  isBelow[start] = 1;
  // A name is made after the directory that it is in.
  for (let node = start + 1; node < tree.nodes; node++)
    isBelow[node] = isBelow[tree.parent[node] as number] as number;
  return (node) => isBelow[node] === 1;
}

/** Puts rows where a walk meets their names: paths would have to be made before they could be sorted. */
function inOrder(rows: Rows, found: readonly number[]): Int32Array {
  const rank = ranks(rows.tree);
  /** By rank, the last row of a name, and by row the one before it. */
  const last = new Int32Array(rows.tree.nodes).fill(NONE);
  const before = new Int32Array(rows.count);
  for (const row of found) {
    const at = rank[rows.node(row)] as number;
    before[row] = last[at] as number;
    last[at] = row;
  }
  const sorted = new Int32Array(found.length);
  let n = 0;
  for (let at = 0; n < found.length; at++)
    for (let row = last[at] as number; row !== NONE; row = before[row] as number) sorted[n++] = row;
  return sorted;
}

/** By node, dead ones too: when a walk meets it that sorts each directory. */
function ranks(tree: Tree): Int32Array {
  const from = new Int32Array(tree.nodes + 1);
  for (let node = ROOT + 1; node < tree.nodes; node++) (from[(tree.parent[node] as number) + 1] as number)++;
  for (let node = 0; node < tree.nodes; node++) (from[node + 1] as number) += from[node] as number;
  const children = new Int32Array(tree.nodes);
  const end = from.slice();
  for (let node = ROOT + 1; node < tree.nodes; node++)
    children[(end[tree.parent[node] as number] as number)++] = node;
  const sort = sorterByName(tree);
  const rank = new Int32Array(tree.nodes);
  const stack = [ROOT];
  for (let next = 0, node = stack.pop(); node !== undefined; node = stack.pop()) {
    rank[node] = next++;
    const own = children.subarray(from[node], from[node + 1]);
    sort(own);
    for (let i = own.length - 1; i >= 0; i--) stack.push(own[i] as number);
  }
  return rank;
}
