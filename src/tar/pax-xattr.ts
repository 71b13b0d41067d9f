import type { Xattr } from "./entry.ts";
import { gnuSpelling, urlName, urlSpelling } from "./xattr-spelling.ts";

/** GNU tar, star, Go and so all container tools: the value as it is. Source: star(1), `SCHILY.xattr`. */
const SCHILY = new TextEncoder().encode("SCHILY.xattr.");
/** bsdtar, beside the other, whose name it then URL-encodes, too; the value in base64. Source: libarchive. */
const LIBARCHIVE = new TextEncoder().encode("LIBARCHIVE.xattr.");
/** star and GNU tar (--acls): an ACL as text. Its record stands for an attribute, so that who judges those hears of it. */
const TEXT_ACL = new TextEncoder().encode("SCHILY.acl.");
const PERCENT = 0x25;

/** `isSure`: from a SCHILY record, which wins over what LIBARCHIVE records say of the same name. */
export interface XattrRecord extends Xattr {
  readonly isSure: boolean;
}

/**
 * The attribute of a record with the key `b[from, to)` and the value after its `=` up to `end`, or undefined when it is none.
 *
 * An empty value is a value, not one taken back as in other records: it is what GNU tar writes for an empty
 * attribute, and what container tools restore.
 *
 * @param refuse throws, with the record named
 */
export function readXattr(
  b: Uint8Array,
  from: number,
  to: number,
  end: number,
  refuse: (problem: string) => never,
): XattrRecord | undefined {
  if (b[from] !== SCHILY[0] && b[from] !== LIBARCHIVE[0]) return undefined;
  if (hasPrefix(b, from, to, TEXT_ACL))
    return { name: b.subarray(from, to), value: b.subarray(to + 1, end), isSure: true };
  const isSure = hasPrefix(b, from, to, SCHILY);
  if (!isSure && !hasPrefix(b, from, to, LIBARCHIVE)) return undefined;
  const raw = b.subarray(from + (isSure ? SCHILY.length : LIBARCHIVE.length), to);
  const name = isSure || !raw.includes(PERCENT) ? raw : Buffer.from(urlName(latin1(raw)), "latin1");
  if (name.length === 0 || name.includes(0)) refuse("no name for an extended attribute");
  const value = b.subarray(to + 1, end);
  return { name, value: isSure ? value : base64Decoded(value, refuse), isSure };
}

function hasPrefix(b: Uint8Array, from: number, to: number, prefix: Uint8Array): boolean {
  if (to - from < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (b[from + i] !== prefix[i]) return false;
  return true;
}

/** libarchive leaves the `=` at the end out. */
function base64Decoded(value: Uint8Array, refuse: (problem: string) => never): Uint8Array {
  const text = latin1(value);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) refuse("its value is not base64");
  return Buffer.from(text, "base64");
}

/** The attributes of an entry: its own before those of global headers, the last record of a name. */
export function mergeXattrs(global: XattrRecord[], own: XattrRecord[]): XattrRecord[] {
  if (own.length === 0) return global; // merged when they came
  if (global.length + own.length < 2) return global.length > 0 ? global : own;
  const found = new Map<string, XattrRecord>();
  for (const records of [global, own]) {
    const sure = new Set<string>();
    for (const record of withoutSpellings(records)) {
      const name = latin1(record.name);
      if (record.isSure) sure.add(name);
      if (record.isSure || !sure.has(name)) found.set(name, record);
    }
  }
  return [...found.values()];
}

/**
 * Leaves out SCHILY records that say with escapes in the name what a LIBARCHIVE record beside them says: bsdtar writes such
 * pairs, and so does TarWriter (write-pax.ts). One alone is taken as it stands, as container tools take it.
 */
function withoutSpellings(records: XattrRecord[]): XattrRecord[] {
  const spelled = new Map<string, Uint8Array>();
  for (const { isSure, name: bytes, value } of records) {
    if (isSure) continue;
    const name = latin1(bytes);
    for (const other of [gnuSpelling(name), urlSpelling(name)]) if (other !== name) spelled.set(other, value);
  }
  if (spelled.size === 0) return records;
  return records.filter(({ isSure, name, value }) => {
    const same = isSure ? spelled.get(latin1(name)) : undefined;
    return same === undefined || Buffer.compare(same, value) !== 0;
  });
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
