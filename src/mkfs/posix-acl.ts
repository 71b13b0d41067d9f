import { put16, put32 } from "../bytes/fit.ts";

/**
 * Values of `system.posix_acl_access` and `…_default`: version 2, then entries of tag u16, permissions u16, id u32.
 * Source: linux/include/uapi/linux/posix_acl_xattr.h; what is an ACL: fs/posix_acl.c, posix_acl_valid.
 */
const HEADER_SIZE = 4;
const ENTRY_SIZE = 8;
const VERSION = 2;
const NO_ID = 0xffff_ffff;
/** FUSE reads an ACL into one page (fs/fuse/acl.c): through it, files with a longer one could not be opened. */
const MAX_BYTES = 4096;

const TAG = { userObj: 1, user: 2, groupObj: 4, group: 8, mask: 16, other: 32 } as const;

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

/** "unknown": a version that the kernel answers EOPNOTSUPP for; other text says what is wrong with it. */
export type AclProblem = "unknown" | { readonly problem: string };

/** @returns the entries, whatever their order; none where the kernel takes the ACL away */
export function readAcl(value: Uint8Array): readonly AclEntry[] | AclProblem {
  if (value.length === 0) return [];
  const v = new DataView(value.buffer, value.byteOffset, value.length);
  if (value.length < HEADER_SIZE) return { problem: `an ACL of ${value.length} bytes` };
  if (v.getUint32(0, true) !== VERSION) return "unknown";
  if ((value.length - HEADER_SIZE) % ENTRY_SIZE !== 0)
    return { problem: `an ACL of ${value.length} bytes, want ${HEADER_SIZE} and ${ENTRY_SIZE} an entry` };
  if (value.length > MAX_BYTES)
    return { problem: `an ACL of ${value.length} bytes, want at most ${MAX_BYTES}` };
  const entries: AclEntry[] = [];
  for (let at = HEADER_SIZE; at < value.length; at += ENTRY_SIZE)
    entries.push({
      tag: v.getUint16(at, true),
      permissions: v.getUint16(at + 2, true),
      id: v.getUint32(at + 4, true),
    });
  return entries.every(isEntry) ? entries : NO_ACL;
}

const NO_ACL = { problem: "no ACL that the kernel takes" };

/** What is wrong with the entries of a file that can have an ACL. */
export const aclProblem = (entries: readonly AclEntry[]): typeof NO_ACL | undefined =>
  entries.length === 0 || isValid(entries) ? undefined : NO_ACL;

/** Which tags may follow which, 0 being none. A mask must follow where a user or group is named. */
const AFTER: ReadonlyMap<number, readonly number[]> = new Map([
  [0, [TAG.userObj]],
  [TAG.userObj, [TAG.user, TAG.groupObj]],
  [TAG.user, [TAG.user, TAG.groupObj]],
  [TAG.groupObj, [TAG.group, TAG.mask, TAG.other]],
  [TAG.group, [TAG.group, TAG.mask]],
  [TAG.mask, [TAG.other]],
  [TAG.other, []],
]);

const isNamed = ({ tag }: AclEntry): boolean => tag === TAG.user || tag === TAG.group;
const isEntry = (entry: AclEntry): boolean =>
  entry.tag !== 0 && AFTER.has(entry.tag) && !(isNamed(entry) && entry.id === NO_ID);

function isValid(entries: readonly AclEntry[]): boolean {
  let last = 0;
  for (const entry of entries) {
    if (entry.permissions > 7) return false;
    if (!AFTER.get(last)?.includes(entry.tag)) return false;
    last = entry.tag;
  }
  const hasMask = entries.some(({ tag }) => tag === TAG.mask);
  return last === TAG.other && (hasMask || !entries.some(isNamed));
}

/** Whether permission bits say as much: the kernel stores no such access ACL. */
export const isMinimal = (entries: readonly AclEntry[]): boolean => entries.length <= 3;

/** With the permission bits of a file that was given this ACL, then this mode: fs/posix_acl.c, posix_acl_chmod. */
export const withMode = (entries: readonly AclEntry[], mode: number): readonly AclEntry[] =>
  entries.map((entry) => {
    const shift =
      entry.tag === TAG.userObj ? 6 : entry.tag === TAG.mask ? 3 : entry.tag === TAG.other ? 0 : -1;
    return shift < 0 ? entry : { ...entry, permissions: (mode >> shift) & 7 };
  });

/** The bytes that the kernel shows. */
export function aclBytes(entries: readonly AclEntry[]): Uint8Array {
  const value = new Uint8Array(HEADER_SIZE + entries.length * ENTRY_SIZE);
  const v = new DataView(value.buffer);
  put32(v, 0, VERSION);
  entries.forEach((entry, i) => {
    const at = HEADER_SIZE + i * ENTRY_SIZE;
    put16(v, at, entry.tag);
    put16(v, at + 2, entry.permissions);
    put32(v, at + 4, isNamed(entry) ? entry.id : NO_ID);
  });
  return value;
}
