import type { TarEntry } from "../../src/tar/entry.ts";
import { type TarOptions, TarReader } from "../../src/tar/reader.ts";

/** Tar bytes from descriptions, right or wrong: fields are text put where it belongs, the checksum comes last. */
export interface Header {
  readonly name?: string | Uint8Array;
  readonly type?: string;
  readonly size?: number | string | Uint8Array;
  readonly mode?: string;
  readonly uid?: string | Uint8Array;
  readonly gid?: string | Uint8Array;
  readonly mtime?: string | Uint8Array;
  readonly link?: string | Uint8Array;
  /** "ustar" (the default), "gnu", or "" for v7. */
  readonly magic?: "ustar" | "gnu" | "";
  readonly major?: string;
  readonly minor?: string;
  readonly prefix?: string;
  /** Bytes to put anywhere, before the checksum is made. */
  readonly patch?: readonly (readonly [at: number, bytes: string | Uint8Array])[];
  /** Instead of the right one. */
  readonly checksum?: string;
  /** Data after the header, padded; their length is the size, unless one is given. */
  readonly data?: string | Uint8Array;
}

const MAGICS = { ustar: "ustar\x0000", gnu: "ustar  \0", "": "" };

/** latin1, so that any byte can be written as one character. */
export const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === "string" ? Uint8Array.from(Buffer.from(text, "latin1")) : text;

export const octal = (value: number, width: number): string =>
  `${value.toString(8).padStart(width - 1, "0")}\0`;

/** One header and its data. */
export function entry(of: Header = {}): Uint8Array {
  const data = bytesOf(of.data ?? "");
  const size = of.size ?? data.length;
  const h = new Uint8Array(512);
  const put = (at: number, value: string | Uint8Array) => h.set(bytesOf(value), at);
  put(0, of.name ?? "f");
  put(100, of.mode ?? "0000644\0");
  put(108, of.uid ?? "0000000\0");
  put(116, of.gid ?? "0000000\0");
  put(124, typeof size === "number" ? octal(size, 12) : size);
  put(136, of.mtime ?? "00000000000\0");
  put(156, of.type ?? "0");
  put(157, of.link ?? "");
  put(257, MAGICS[of.magic ?? "ustar"]);
  put(329, of.major ?? "");
  put(337, of.minor ?? "");
  put(345, of.prefix ?? "");
  for (const [at, bytes] of of.patch ?? []) put(at, bytes);
  put(148, "        ");
  put(
    148,
    of.checksum ??
      `${h
        .reduce((a, b) => a + b, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
  );
  return join(h, data, new Uint8Array((512 - (data.length % 512)) % 512));
}

export const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

export const ZERO = new Uint8Array(512);
export const END = new Uint8Array(1024);

/** One record of a pax header, its length computed. */
export function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

export const records = (of: Readonly<Record<string, string>>): string =>
  Object.entries(of)
    .map(([key, value]) => record(key, value))
    .join("");

/** A pax header of records, or of text that is none. */
export const pax = (of: Readonly<Record<string, string>> | string, type = "x"): Uint8Array =>
  entry({ name: "PaxHeaders/x", type, data: typeof of === "string" ? of : records(of) });

/** A GNU long name (L) or long link (K). */
export const long = (type: "L" | "K", name: string): Uint8Array =>
  entry({ name: "././@LongLink", type, magic: "gnu", data: `${name}\0` });

/** Two's complement with the marker bit. */
export function base256(value: bigint, width: number): Uint8Array {
  const field = new Uint8Array(width);
  for (let i = width - 1, rest = value; i >= 0; i--, rest >>= 8n) field[i] = Number(rest & 255n);
  field[0] |= 0x80;
  return field;
}

/** A reader that is refused bytes which are not there, and names the tar "t". */
export const readerOf = (tar: Uint8Array, options: TarOptions = {}): TarReader =>
  new TarReader({ view: (at, length) => viewOf(tar, at, length) }, "t", options);

/** All entries of a tar that is wholly there, its name in messages "t". */
export function readAll(
  tar: Uint8Array,
  options: { ignoreZeros?: boolean; warnings?: string[] } = {},
): TarEntry[] {
  const reader = readerOf(tar, {
    ignoreZeros: options.ignoreZeros ?? false,
    warn: (message) => options.warnings?.push(message),
  });
  const entries: TarEntry[] = [];
  for (;;) {
    const found = reader.next(tar.length, true);
    if (found === "more") throw new Error("more, at the end");
    if (found === undefined) return entries;
    entries.push(found);
  }
}

/** Exactly these bytes, or an error: a reader may not ask for others. */
export function viewOf(tar: Uint8Array, at: number, length: number): Uint8Array {
  if (!(at >= 0 && length >= 0 && at + length <= tar.length)) throw new Error(`view(${at}, ${length})`);
  return tar.subarray(at, at + length);
}

/** The bytes of a file, its holes filled. */
export function contentOf(tar: Uint8Array, { size, dataAt, sparse }: TarEntry): Uint8Array {
  const content = new Uint8Array(size);
  for (const piece of sparse ?? [{ offset: 0, length: size, dataAt }])
    content.set(viewOf(tar, piece.dataAt, piece.length), piece.offset);
  return content;
}

/** latin1 of the bytes. */
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** An entry with text for bytes, and only what is not as usual. */
export function shown({ path, link, xattrs, ...rest }: TarEntry): Record<string, unknown> {
  const usual: Record<string, unknown> = {
    ...{
      kind: "file",
      at: 0,
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: 0,
      mtimeNsec: 0,
      rdev: 0,
      size: 0,
      link: "",
    },
    sparse: undefined,
  };
  const all: Record<string, unknown> = { path: textOf(path), link: textOf(link), ...rest };
  if (xattrs.length > 0)
    all["xattrs"] = Object.fromEntries(xattrs.map(({ name, value }) => [textOf(name), textOf(value)]));
  return Object.fromEntries(Object.entries(all).filter(([key, value]) => usual[key] !== value));
}
