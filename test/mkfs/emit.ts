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

/** A file with a hole at its start, as pax says it. */
export const SPARSE: Made = {
  name: "sparse",
  data: "s".repeat(1024),
  pax: { "GNU.sparse.size": "1048576", "GNU.sparse.numblocks": "1", "GNU.sparse.map": "4096,1024" },
};

/** Small, most bytes of it mean something, and what it is made of are the kinds of members that there are. */
export const SOME_OF_EVERYTHING: readonly Made[] = [
  { name: "./", type: "5" },
  { name: "d/", type: "5", pax: { "SCHILY.xattr.user.a": "value", mtime: "1.5" } },
  { name: "d/file", data: "data ".repeat(150) },
  { name: "d/link", type: "1", link: "d/file" },
  { name: "early", type: "1", link: "late" },
  { name: "symlink", type: "2", link: "d" },
  { name: "symlink/through", data: "x" },
  { name: "long", type: "2", pax: { linkpath: "t".repeat(700) } },
  { name: "char", type: "3", device: [5, 300] },
  { name: "fifo", type: "6" },
  { name: "late", data: "late", mode: 0o4755, uid: 70_000 },
  { name: ".wh.gone" },
  { name: "d/.wh..wh..opq" },
];

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
