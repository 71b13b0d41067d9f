import { FormatError } from "../bytes/errors.ts";
import { copyOf } from "./copy.ts";
import { textEnd } from "./header.ts";
import { PaxRecords, type PaxValue } from "./pax.ts";
import { mergeXattrs, type XattrRecord } from "./pax-xattr.ts";

/** Bytes of one extension header, and of all that global ones have left to remember. Go has the same limit. */
export const MAX_EXTENSION = 1 << 20;
/** Most extension headers are smaller. */
const USUAL = 4 << 10;

const NO_XATTRS: XattrRecord[] = [];

/** What extension headers have said: of the next entry, and of all that follow. */
export class Extensions {
  /** Names of GNU's 'L' and 'K' headers. */
  longName: Uint8Array | undefined;
  longLink: Uint8Array | undefined;
  /** undefined: there were none so far, as in most tars. */
  private own: PaxRecords | undefined;
  private global: PaxRecords | undefined;
  /** Holds the bytes that `own` points into. */
  private buffer = new Uint8Array(0);
  private readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /**
   * Takes the data of one extension header.
   *
   * @param type its type: x (or Sun's X), g, L, K; of any other nothing is taken
   * @param view its data, copied here
   * @param at where they begin in the tar
   * @throws FormatError at a record that is not well-formed
   */
  take(type: string, view: Uint8Array, at: number): void {
    if (type === "L") this.longName = copyOf(view, 0, textEnd(view, 0, view.length));
    else if (type === "K") this.longLink = copyOf(view, 0, textEnd(view, 0, view.length));
    else if (type === "g") this.addGlobal(view, at);
    else if (type === "x" || type === "X") {
      if (view.length > this.buffer.length) this.buffer = new Uint8Array(Math.max(USUAL, view.length));
      this.buffer.set(view);
      // A second header of the kind replaces the first, as in GNU tar and Go.
      this.own ??= new PaxRecords();
      this.own.read(this.buffer, view.length, at, this.file, false);
    }
  }

  /** Forgets what was said of the entry that now is complete. */
  clear(): void {
    this.longName = undefined;
    this.longLink = undefined;
    this.own?.clear();
  }

  /** The value of a key for the next entry, unless it is empty: then the header's own counts. */
  value(key: number): PaxValue | undefined {
    const value = this.own?.values[key] ?? this.global?.values[key];
    return value === undefined || value.from === value.to ? undefined : value;
  }

  /** Whether the next entry's own records have keys of sparse files. */
  get isSparse(): boolean {
    return this.own?.isSparse ?? false;
  }

  get pieces(): readonly PaxValue[] {
    return this.own?.pieces ?? [];
  }

  get xattrs(): readonly XattrRecord[] {
    return mergeXattrs(this.global?.xattrs ?? NO_XATTRS, this.own?.xattrs ?? NO_XATTRS);
  }

  /** Keeps copies of the values alone, so that memory is bounded by what is counted here. */
  private addGlobal(view: Uint8Array, at: number): void {
    this.global ??= new PaxRecords();
    const { global, file } = this;
    const added = new PaxRecords();
    added.read(view, view.length, at, file, true);
    for (const [key, value] of added.values.entries()) {
      if (value === undefined) continue;
      const b = copyOf(value.b, value.from, value.to);
      global.values[key] = { b, from: 0, to: b.length };
    }
    const kept = new Set(global.xattrs);
    global.xattrs = mergeXattrs(global.xattrs, added.xattrs).map((x) =>
      kept.has(x) ? x : { ...x, name: copyOf(x.name), value: copyOf(x.value) },
    );
    let sum = 0;
    for (const value of global.values) sum += value?.b.length ?? 0;
    for (const { name, value } of global.xattrs) sum += name.length + value.length;
    if (sum > MAX_EXTENSION)
      throw new FormatError(`global headers hold ${sum} bytes, more than ${MAX_EXTENSION}`, { file, at });
  }
}
