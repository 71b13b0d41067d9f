import { END, entry, join, octal, record } from "../tar/emit.ts";

/** A tar entry as a test of trees says it; `type` is the header's type flag. */
export interface Made {
  readonly name: string;
  readonly type?: string;
  readonly data?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly device?: readonly [major: number, minor: number];
  /** pax records before it. */
  readonly pax?: Readonly<Record<string, string>>;
}

/** An archive with its end marker. */
export const tarOf = (entries: readonly Made[]): Uint8Array => join(...entries.flatMap(blocksOf), END);

function blocksOf({ pax, device, ...made }: Made): Uint8Array[] {
  const { type = "0", mode = type === "5" ? 0o755 : 0o644, uid = 0, gid = 0, mtime = 1_700_000_000 } = made;
  const records = Object.entries(pax ?? {}).map(([key, value]) => record(key, value));
  const before = records.length === 0 ? [] : [entry({ name: "pax", type: "x", data: records.join("") })];
  const numbers = { mode: octal(mode, 8), uid: octal(uid, 8), gid: octal(gid, 8), mtime: octal(mtime, 12) };
  const rdev = device === undefined ? {} : { major: octal(device[0], 8), minor: octal(device[1], 8) };
  return [...before, entry({ ...made, type, ...numbers, ...rdev })];
}
