import type { DataState } from "./difference.ts";
import { DataComparer } from "./same-data.ts";
import type { Side } from "./side.ts";

/** Two files. */
export interface InodePair {
  readonly i: number;
  readonly j: number;
}

/** What is known of the bytes of files of one size that do not lie at the same place. */
export class FileData {
  private readonly before: Side;
  private readonly after: Side;
  private readonly known = new Map<number, DataState>();
  private collected: InodePair[] | undefined;

  constructor(before: Side, after: Side) {
    this.before = before;
    this.after = after;
  }

  of(i: number, j: number): DataState {
    const key = this.keyOf(i, j);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    if (this.collected === undefined) return "unread";
    this.known.set(key, "unread"); // met once, whatever names they have
    this.collected.push({ i, j });
    return "unread";
  }

  /** Notes which pairs are asked for, until they are read. */
  collect(pairs: InodePair[]): void {
    this.collected = pairs;
  }

  /**
   * Compares their bytes, in the order of the first one's tars.
   *
   * @param isOneEnough what comes behind the first that differs stays unread
   * @throws OperationalError when bytes cannot be read
   */
  read(pairs: InodePair[], isOneEnough: boolean): void {
    this.collected = undefined;
    const { blob, where } = this.before.image.tree;
    const at = (column: ArrayLike<number>, { i }: InodePair) => column[i] as number;
    pairs.sort((x, y) => at(blob, x) - at(blob, y) || at(where, x) - at(where, y));
    const comparer = new DataComparer(this.before, this.after);
    for (const { i, j } of pairs) {
      const isSame = comparer.hasSame(i, j);
      this.known.set(this.keyOf(i, j), isSame ? "same" : "differs");
      if (isOneEnough && !isSame) return;
    }
  }

  private keyOf(i: number, j: number): number {
    return i * this.after.names.length + j;
  }
}
