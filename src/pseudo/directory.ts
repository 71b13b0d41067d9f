import { compareBytes } from "../bytes/name.ts";

/** A name in a virtual directory. */
export interface Item {
  readonly name: Uint8Array;
  /** Where a listing that goes on after this entry begins is one more; grows with time, so listings survive changes. */
  readonly cookie: number;
  /** What it leads to: another virtual directory, or the root of an image. */
  readonly node: number;
  readonly ino: number;
}

/** A directory that no image has: it leads to the mountpoints of images. */
export class Directory {
  readonly parent: number;
  /** In the order of their cookies. */
  readonly items: Item[] = [];
  private readonly byName: Item[] = [];

  /** @param parent node of the directory that it is in */
  constructor(parent: number) {
    this.parent = parent;
  }

  find(bytes: Uint8Array, nameAt: number, nameLength: number): Item | undefined {
    const at = this.place(bytes, nameAt, nameLength);
    const item = this.byName[at];
    return item !== undefined && compare(item, bytes, nameAt, nameLength) === 0 ? item : undefined;
  }

  /** Index of the first item of at least this cookie. */
  from(cookie: number): number {
    let low = 0; // `middle` is always between these
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.items[middle] as Item).cookie < cookie) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** In place of what had the name. */
  set(item: Item): void {
    this.remove(item.name);
    this.items.splice(this.from(item.cookie), 0, item);
    this.byName.splice(this.place(item.name, 0, item.name.length), 0, item);
  }

  remove(name: Uint8Array): void {
    const item = this.find(name, 0, name.length);
    if (item === undefined) return;
    this.items.splice(this.items.indexOf(item), 1);
    this.byName.splice(this.byName.indexOf(item), 1);
  }

  private place(bytes: Uint8Array, nameAt: number, nameLength: number): number {
    let low = 0;
    let high = this.byName.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.byName[middle] as Item, bytes, nameAt, nameLength) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const compare = ({ name }: Item, bytes: Uint8Array, nameAt: number, nameLength: number): number =>
  compareBytes(name, 0, name.length, bytes, nameAt, nameLength);
