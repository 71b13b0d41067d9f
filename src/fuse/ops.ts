import { EINVAL, ENOSYS } from "../bytes/errno.ts";
import { isDots } from "../bytes/name.ts";
import { putU64, TWO_32, u64 } from "../bytes/u64.ts";
import type { FileSystem } from "../vfs/file-system.ts";
import { isRoot } from "./caller.ts";
import { type Frame, PAYLOAD } from "./frame.ts";
import { putAttr, putEntry, putValid } from "./reply.ts";
import type { WorkerLedger } from "./worker-ledger.ts";
import {
  ATTR_OUT,
  ATTR_SIZE,
  DIRENT,
  ENTRY_SIZE,
  FORGET,
  IN,
  IN_HEADER,
  INIT_IN,
  READ_IN,
  STATFS,
  XATTR_IN,
} from "./wire.ts";
import { OP, OP_COUNT } from "../vfs/opcodes.ts";

/** The request wants no answer. */
export const NO_REPLY = -4096;

/** Fills the reply's payload and returns its bytes, a negative errno, or NO_REPLY. */
type Op = (fs: FileSystem, f: Frame, ledger: WorkerLedger) => number;

const nodeOf = (f: Frame): number => u64(f.inView, IN.NODEID);

function lookup(fs: FileSystem, f: Frame, ledger: WorkerLedger): number {
  // The name ends with a NUL that belongs to the request.
  const node = fs.lookup(nodeOf(f), f.in, IN_HEADER, f.length - IN_HEADER - 1);
  if (node < 0) return node;
  if (node > 0) {
    const result = fs.attr(node, f.attr);
    if (result < 0) return result;
    ledger.noteLookup(node);
  }
  putEntry(f.outView, PAYLOAD, node, f.attr);
  return ENTRY_SIZE;
}

function getattr(fs: FileSystem, f: Frame): number {
  const result = fs.attr(nodeOf(f), f.attr);
  if (result < 0) return result;
  putValid(f.outView, PAYLOAD + ATTR_OUT.VALID);
  putU64(f.outView, PAYLOAD + ATTR_OUT.VALID_NSEC, 0);
  putAttr(f.outView, PAYLOAD + ATTR_OUT.ATTR, f.attr);
  return ATTR_OUT.ATTR + ATTR_SIZE;
}

function read(fs: FileSystem, f: Frame): number {
  const v = f.inView;
  const offset = v.getUint32(READ_IN.OFFSET, true) + v.getUint32(READ_IN.OFFSET + 4, true) * TWO_32;
  const size = Math.min(v.getUint32(READ_IN.SIZE, true), f.room);
  return fs.read(nodeOf(f), offset, size, f.out, PAYLOAD);
}

const readlink: Op = (fs, f) => fs.readlink(nodeOf(f), f.out, PAYLOAD);

function readdir(fs: FileSystem, f: Frame): number {
  return list(fs, f, undefined);
}

function readdirplus(fs: FileSystem, f: Frame, ledger: WorkerLedger): number {
  ledger.noteListing(nodeOf(f));
  return list(fs, f, ledger);
}

/** Entries from the request's cookie on, as many as fit; with `ledger`, each with its inode's attributes. */
function list(fs: FileSystem, f: Frame, ledger: WorkerLedger | undefined): number {
  const node = nodeOf(f);
  const room = Math.min(f.inView.getUint32(READ_IN.SIZE, true), f.room);
  const head = ledger ? ENTRY_SIZE : 0;
  let done = 0;
  for (let more = fs.entry(node, u64(f.inView, READ_IN.OFFSET), f.entry); ; more = fs.nextEntry(f.entry)) {
    if (more < 0) return done > 0 ? done : more;
    if (more === 0) return done;
    const { entry } = f;
    const size = (head + DIRENT.NAME + entry.nameLength + 7) & ~7;
    if (done + size > room) return done;
    const at = PAYLOAD + done;
    if (ledger) putPlus(fs, f, at, ledger);
    putDirent(f, at + head);
    // Not fill(): a call out of JavaScript for a few bytes.
    for (let pad = at + head + DIRENT.NAME + entry.nameLength; pad < at + size; pad++) f.out[pad] = 0;
    done += size;
  }
}

/**
 * The attributes half of a READDIRPLUS entry. `.` and `..` carry none (the kernel skips them), nor does an
 * entry whose inode is corrupt: node 0 lists the name and says nothing more.
 */
function putPlus(fs: FileSystem, f: Frame, at: number, ledger: WorkerLedger): void {
  const { entry } = f;
  if (
    isDots(entry.bytes, entry.nameAt, entry.nameLength) ||
    entry.node === 0 ||
    fs.attr(entry.node, f.attr) < 0
  ) {
    f.out.fill(0, at, at + ENTRY_SIZE);
    return;
  }
  ledger.noteLookup(entry.node);
  putEntry(f.outView, at, entry.node, f.attr);
}

function putDirent(f: Frame, at: number): void {
  const { entry, outView: v, out } = f;
  putU64(v, at + DIRENT.INO, entry.ino);
  putU64(v, at + DIRENT.OFF, entry.next);
  v.setUint32(at + DIRENT.NAMELEN, entry.nameLength, true);
  v.setUint32(at + DIRENT.TYPE, entry.type, true);
  const to = at + DIRENT.NAME;
  for (let i = 0; i < entry.nameLength; i++) out[to + i] = entry.bytes[entry.nameAt + i];
}

/** An image without any xattr refuses the question once, and the kernel stops asking. */
function getxattr(fs: FileSystem, f: Frame): number {
  if (!fs.traits.hasXattrs) return -ENOSYS;
  const room = Math.min(f.inView.getUint32(XATTR_IN.SIZE, true), f.room);
  const length = f.length - XATTR_IN.NAME - 1;
  return sized(f, room, fs.getxattr(nodeOf(f), f.in, XATTR_IN.NAME, length, f.out, PAYLOAD, room));
}

/** `trusted.*` names are shown to uid 0 only: the request does not carry capabilities. */
function listxattr(fs: FileSystem, f: Frame): number {
  const room = Math.min(f.inView.getUint32(XATTR_IN.SIZE, true), f.room);
  const privileged = hasTrusted(fs, f) && isRoot(f.inView);
  return sized(f, room, fs.listxattr(nodeOf(f), f.out, PAYLOAD, room, privileged));
}

/** Who asks may have to be found out, and matters for few files. */
const hasTrusted = (fs: FileSystem, f: Frame): boolean =>
  fs.listxattr(nodeOf(f), f.out, PAYLOAD, 0, true) > fs.listxattr(nodeOf(f), f.out, PAYLOAD, 0, false);

/** A probe with no room is answered with the size, as `struct fuse_getxattr_out`. */
function sized(f: Frame, room: number, result: number): number {
  if (result < 0 || room > 0) return result;
  putU64(f.outView, PAYLOAD, result);
  return 8;
}

/** As fs/erofs/super.c: nothing free, inodes without bound. */
function statfs(fs: FileSystem, f: Frame): number {
  const result = fs.statfs(nodeOf(f), f.statfs);
  if (result < 0) return result;
  const v = f.outView;
  f.out.fill(0, PAYLOAD, PAYLOAD + STATFS.SIZE);
  putU64(v, PAYLOAD + STATFS.BLOCKS, f.statfs.blocks);
  v.setUint32(PAYLOAD + STATFS.FILES, 0xffff_ffff, true);
  v.setUint32(PAYLOAD + STATFS.FILES + 4, 0xffff_ffff, true);
  // ULLONG_MAX - inos
  v.setUint32(PAYLOAD + STATFS.FFREE, ~f.statfs.files >>> 0, true);
  v.setUint32(PAYLOAD + STATFS.FFREE + 4, ~Math.floor(f.statfs.files / TWO_32) >>> 0, true);
  v.setUint32(PAYLOAD + STATFS.BSIZE, f.statfs.blockSize, true);
  v.setUint32(PAYLOAD + STATFS.NAMELEN, 255, true);
  v.setUint32(PAYLOAD + STATFS.FRSIZE, f.statfs.blockSize, true);
  return STATFS.SIZE;
}

const none: Op = () => 0;
const silent: Op = () => NO_REPLY;

const forget: Op = (_, f, ledger) => {
  ledger.forget(f);
  return NO_REPLY;
};

const batchForget: Op = (_, f, ledger) => {
  ledger.forgetBatch(f);
  return NO_REPLY;
};

/**
 * What is not here answers ENOSYS, once: the kernel then stops asking for OPEN, OPENDIR, FLUSH, ACCESS,
 * LSEEK, FSYNC, POLL and the like, and does it itself. INIT belongs to the session.
 */
const ops: readonly Op[] = (() => {
  const table: Op[] = new Array(OP_COUNT).fill(() => -ENOSYS);
  table[OP.LOOKUP] = lookup;
  table[OP.FORGET] = forget;
  table[OP.BATCH_FORGET] = batchForget;
  table[OP.NOTIFY_REPLY] = silent;
  table[OP.INTERRUPT] = silent;
  table[OP.GETATTR] = getattr;
  table[OP.READLINK] = readlink;
  table[OP.READ] = read;
  table[OP.STATFS] = statfs;
  table[OP.GETXATTR] = getxattr;
  table[OP.LISTXATTR] = listxattr;
  table[OP.READDIR] = readdir;
  table[OP.READDIRPLUS] = readdirplus;
  table[OP.DESTROY] = none;
  return table;
})();

/** Bytes that a request has at least, by opcode. No kernel sends less; what lay in the buffer before is no request. */
const least = (() => {
  const table = new Uint8Array(OP_COUNT).fill(IN_HEADER);
  table[OP.LOOKUP] = IN_HEADER + 1; // the NUL
  table[OP.FORGET] = FORGET.TIMES + 8;
  table[OP.BATCH_FORGET] = FORGET.LIST;
  for (const opcode of [OP.READ, OP.READDIR, OP.READDIRPLUS]) table[opcode] = READ_IN.SIZE + 4;
  table[OP.GETXATTR] = XATTR_IN.NAME + 1;
  table[OP.LISTXATTR] = XATTR_IN.SIZE + 4;
  table[OP.INIT] = INIT_IN.MINOR + 4;
  return table;
})();

/** Whether the request is cut off, so that it cannot be answered. */
export const isShort = (f: Frame, opcode: number): boolean =>
  f.length < (opcode < OP_COUNT ? least[opcode] : IN_HEADER);

/** Fills the reply's payload and returns its bytes, a negative errno, or NO_REPLY: for all requests but INIT. */
export function answer(fs: FileSystem, f: Frame, ledger: WorkerLedger, opcode: number): number {
  if (isShort(f, opcode)) return opcode === OP.FORGET || opcode === OP.BATCH_FORGET ? NO_REPLY : -EINVAL;
  return opcode < OP_COUNT ? ops[opcode](fs, f, ledger) : -ENOSYS;
}
