import { S_IFREG } from "../bytes/errno.ts";
import { NONE } from "../mkfs/tree.ts";
import type { Change, Whole } from "./comparison.ts";
import { forEachChild, type Side, typeOf } from "./side.ts";

/** What was found by a comparison, in numbers. */
export class ChangeTally {
  added = 0;
  removed = 0;
  /** Other bytes, other target, other device. */
  changed = 0;
  metadata = 0;
  type = 0;
  /** Of the same size and other times. */
  unread = 0;
  /** Of the same size and times at another place, or at the same one of what is called the same: taken for the same. */
  believed = 0;
  private readonly before: LostNames;
  private readonly after: LostNames;

  constructor(before: Side, after: Side) {
    this.before = new LostNames(before);
    this.after = new LostNames(after);
  }

  /** Bytes of files none of whose names was there before. */
  get addedBytes(): number {
    return this.after.bytes;
  }

  /** Bytes of files none of whose names is there any more. */
  get removedBytes(): number {
    return this.before.bytes;
  }

  /** Whether both are the same, as far as is known. */
  get isSame(): boolean {
    return this.added + this.removed + this.changed + this.metadata + this.type + this.unread === 0;
  }

  /** Of a directory that is on one side only. */
  whole(side: Side, directory: number): Whole {
    const lost = side === this.before.side ? this.before : this.after;
    return lost.whole(directory);
  }

  add({ letter, before, after, whole }: Omit<Change, "changed" | "data">): void {
    const entries = whole?.entries ?? 1;
    if (letter === "A") {
      this.added += entries;
      if (whole === undefined) this.after.lose(after);
    } else if (letter === "D") {
      this.removed += entries;
      if (whole === undefined) this.before.lose(before);
    } else if (letter === "M") this.changed++;
    else if (letter === "m") this.metadata++;
    else if (letter === "T") this.type++;
    else this.unread++;
  }
}

/** Names that only one side has; a file's bytes count when it has no other. */
class LostNames {
  readonly side: Side;
  bytes = 0;
  private readonly lost: Uint32Array;
  /** By inode: the directory in which it was counted last. */
  private readonly countedIn: Int32Array;

  constructor(side: Side) {
    this.side = side;
    this.lost = new Uint32Array(side.names.length);
    this.countedIn = new Int32Array(side.names.length).fill(NONE);
  }

  lose(node: number): void {
    const { image, names } = this.side;
    const { tree } = image;
    if (typeOf(tree, node) !== S_IFREG) return;
    const inode = tree.inode[node] as number;
    (this.lost[inode] as number)++;
    if (this.lost[inode] === names[inode]) this.bytes += tree.size[inode] as number;
  }

  whole(directory: number): Whole {
    const { tree } = this.side.image;
    let [entries, bytes] = [0, 0];
    const stack = [directory];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      entries++;
      this.lose(node);
      const inode = tree.inode[node] as number;
      if (typeOf(tree, node) === S_IFREG && this.countedIn[inode] !== directory) {
        this.countedIn[inode] = directory;
        bytes += tree.size[inode] as number;
      }
      forEachChild(tree, node, (child) => stack.push(child));
    }
    return { entries, bytes };
  }
}
