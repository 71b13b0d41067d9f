import { S_IFDIR } from "../bytes/errno.ts";
import { NONE, ROOT } from "../mkfs/tree.ts";
import { ChangeTally } from "./change-tally.ts";
import {
  type Attribute,
  type DataState,
  type Difference,
  differenceOf,
  hasSameTime,
  type Letter,
} from "./difference.ts";
import { FileData, type InodePair } from "./file-data.ts";
import { forEachChild, type Side, typeOf } from "./side.ts";

/** A name that is not the same on both sides. Nodes are those of the sides' trees; NONE where it is not. */
export interface Change {
  readonly letter: Letter;
  readonly before: number;
  readonly after: number;
  readonly changed: readonly Attribute[];
  readonly data: DataState | undefined;
  /** Of a directory that stands for all that is in it: how many names, itself too, and bytes of files. */
  readonly whole: Whole | undefined;
}

export interface Whole {
  readonly entries: number;
  readonly bytes: number;
}

export interface ComparisonRequest {
  readonly before: Side;
  readonly after: Side;
  readonly ignored: ReadonlySet<Attribute>;
  /** Also what is in directories that are new or gone, each by itself. */
  readonly isWhole: boolean;
  /** Also directories of which only the times differ. */
  readonly hasDirectoryTimes: boolean;
}

/** A name that is to be told of, or a directory to be looked into. */
interface Pair {
  readonly before: number;
  readonly after: number;
  readonly difference: Difference | undefined;
}

/** Two images side by side, name for name; what is at the same place of the same file is the same without being read. */
export class Comparison {
  private readonly request: ComparisonRequest;
  private readonly data: FileData;
  /** What was found so far. */
  tally: ChangeTally;

  constructor(request: ComparisonRequest) {
    this.request = request;
    this.data = new FileData(request.before, request.after);
    this.tally = new ChangeTally(request.before, request.after);
  }

  /**
   * Compares the bytes of all that has the same size, and lies at another place, or in what only is called the same: in the order of the first one's tars.
   *
   * @param isOneEnough no more is read than shows that there is a difference
   * @throws OperationalError when bytes cannot be read
   */
  readData(isOneEnough = false): void {
    const pairs: InodePair[] = [];
    this.data.collect(pairs);
    let isShown = false;
    for (const { letter } of this.changes()) if (letter !== "?" && isOneEnough) isShown = true;
    this.data.read(isShown ? [] : pairs, isOneEnough);
  }

  /** What differs, a directory before what is in it, names in the order of their bytes. */
  *changes(): Generator<Change> {
    this.tally = new ChangeTally(this.request.before, this.request.after);
    const stack = [this.pair(ROOT, ROOT)];
    for (let pair = stack.pop(); pair !== undefined; pair = stack.pop()) {
      const change = this.changeOf(pair);
      if (change !== undefined) yield change;
      if (change?.whole === undefined) for (const each of this.below(pair).reverse()) stack.push(each);
    }
  }

  private changeOf({ before, after, difference }: Pair): Change | undefined {
    const { before: a, after: b, isWhole } = this.request;
    const isThere = before !== NONE && after !== NONE;
    if (isThere && difference === undefined) return undefined;
    const { letter, changed, data } = difference ?? {
      ...{ letter: before === NONE ? "A" : "D", changed: [], data: undefined },
    };
    const [side, node] = before === NONE ? [b, after] : [a, before];
    const isTold = isThere || isWhole || typeOf(side.image.tree, node) !== S_IFDIR;
    const whole = isTold ? undefined : this.tally.whole(side, node);
    this.tally.add({ letter, before, after, whole });
    return { letter, before, after, changed, data, whole };
  }

  /** What there is to tell of in directories, in order. */
  private below({ before, after }: Pair): Pair[] {
    const a = this.request.before.image.tree;
    const b = this.request.after.image.tree;
    const pairs: Pair[] = [];
    const add = (pair: Pair): void => {
      const { before: x, after: y, difference } = pair;
      const isDirectory = typeOf(a, x) === S_IFDIR || typeOf(b, y) === S_IFDIR;
      if (x === NONE || y === NONE || difference !== undefined || isDirectory) pairs.push(pair);
    };
    forEachChild(a, before, (child) => {
      const other = typeOf(b, after) === S_IFDIR ? b.find(after, ...nameIn(a, child)) : NONE;
      add(this.pair(child, b.isLive(other) ? other : NONE));
    });
    forEachChild(b, after, (child) => {
      const other = typeOf(a, before) === S_IFDIR ? a.find(before, ...nameIn(b, child)) : NONE;
      if (!a.isLive(other)) add({ before: NONE, after: child, difference: undefined });
    });
    const name = ({ before: x, after: y }: Pair) => (x === NONE ? b.name(y) : a.name(x));
    return pairs.sort((x, y) => Buffer.compare(name(x), name(y)));
  }

  private pair(before: number, after: number): Pair {
    const { before: a, after: b, ignored, hasDirectoryTimes } = this.request;
    if (before === NONE || after === NONE) return { before, after, difference: undefined };
    const [i, j] = [a.image.tree.inode[before] as number, b.image.tree.inode[after] as number];
    const difference = differenceOf(a, i, b, j, ignored, (...of) => this.dataOf(...of));
    const { changed = [], letter } = difference ?? {};
    const isDirectory = typeOf(a.image.tree, before) === S_IFDIR;
    const isOnlyTime = letter === "m" && changed.length === 1 && changed[0] === "mtime";
    return {
      before,
      after,
      difference: isDirectory && isOnlyTime && !hasDirectoryTimes ? undefined : difference,
    };
  }

  private dataOf(i: number, j: number, isClaimed: boolean): DataState {
    const { before, after } = this.request;
    const state = this.data.of(i, j);
    if (state !== "unread") return state;
    if (isClaimed || hasSameTime(before.image.tree, i, after.image.tree, j)) this.tally.believed++;
    return isClaimed ? "claimed" : state;
  }
}

const nameIn = (
  { pool, nameAt, nameLength }: Side["image"]["tree"],
  node: number,
): [bytes: Uint8Array, at: number, length: number] => [
  pool.bytes,
  nameAt[node] as number,
  nameLength[node] as number,
];
