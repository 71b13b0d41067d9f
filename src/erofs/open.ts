import { dtOfMode, S_IFDIR, S_IFMT } from "../bytes/errno.ts";
import { FormatError } from "../bytes/errors.ts";
import { MAX_NAME } from "../bytes/limits.ts";
import { Bits } from "./bits.ts";
import { type CheckContext, fail, giveBack, noteOdd } from "./check.ts";
import { checkDirectory, type OnEntry } from "./check-directory.ts";
import { checkInode, claimBlocks } from "./check-inode.ts";
import { addressSpace, type Device, readDevices, SLOT_SIZE } from "./device.ts";
import { DT_OF_TYPE, direntNameOff, poisonDirent } from "./dirent.ts";
import { deviceMask, type ImageHandle } from "./image.ts";
import { INODE_COMPACT, INODE_SLOT_SIZE, inodeMode } from "./inode.ts";
import { type BlockCheck, MetaFile } from "./meta-file.ts";
import { PREFETCH_FIELD_AT, RAFS_AT, RAFS_SIZE, type Rafs, readRafs } from "./rafs.ts";
import { readSuperblock, type Superblock } from "./superblock.ts";
import { type Prefixes, readPrefixes } from "./xattr.ts";

/** The tables of an image: enough to know which blobs it needs, nothing of its tree. */
export interface ImageTables {
  readonly meta: MetaFile;
  readonly sb: Superblock;
  readonly devices: readonly Device[];
  readonly rafs: Rafs | undefined;
  readonly prefixes: Prefixes;
  /** The file itself holds every device at its unified address: a flattened disk image. */
  readonly isFlat: boolean;
}

/** What the pass over the tree found. */
export interface TreeReport {
  inodes: number;
  directories: number;
  /** Inodes, directories and directory entries that broke the format; 0 unless lenient. */
  corrupt: number;
  /** The first few problems, in the order they were met. */
  problems: Error[];
  /** Names and symlinks that break the format, but that the kernel shows in its own way; and the first. 0 when strict. */
  odd: number;
  firstOdd: FormatError | undefined;
  /** nids of the prefetch table, those that are in the tree. */
  prefetch: number[];
  /** By device slot: where the last data ends that an inode has there; empty when that was not looked at. */
  dataEnds: readonly number[];
  /** See MetaFile: what was read of the image. */
  loaded: Uint8Array;
}

const KEPT_PROBLEMS = 16;

/**
 * Reads and checks superblock, RAFS extension, device and blob tables and xattr prefixes.
 *
 * @param image a descriptor, open for reading, or its bytes; read only while opening and checking
 * @param size its length, bytes
 * @param file its path, for messages
 * @param check what is read of it is held to that, the tree, too
 * @throws FormatError
 */
export function readTables(
  image: number | Uint8Array,
  size: number,
  file: string,
  check?: BlockCheck,
): ImageTables {
  const meta = new MetaFile(image, size, file, check);
  meta.need(0, Math.min(size, 8192));
  const sb = readSuperblock(meta.view, size, file);
  const need = (at: number, length: number) => meta.need(at, length);
  need(sb.devicesAt, sb.extraDevices * SLOT_SIZE);
  const devices = readDevices(meta.view, sb, file);
  let rafs: Rafs | undefined;
  if (sb.isRafs) {
    need(RAFS_AT, RAFS_SIZE);
    rafs = readRafs(meta.view, size, sb, devices, file, need);
  }
  const last = (d: Device) => d.unifiedAt + d.blocks * sb.blockSize;
  const isFlat = devices.length > 0 && devices.every((d) => d.unifiedAt > 0 && last(d) <= size);
  if (rafs && !rafs.isTarfs && devices.length > 0 && !isFlat)
    throw new FormatError(
      "plain RAFS image whose blobs are packed files: only TARFS, or what nydus-image export --block wrote, can be served",
      { file, at: RAFS_AT },
    );
  return { meta, sb, devices, rafs, prefixes: readPrefixes(meta.view, sb, file, need), isFlat };
}

/**
 * Checks everything a server will rely on, once, over the whole tree: each inode, each directory block, each
 * extent against the real length of its file. Work is linear in the image's size, memory one bit a 32-byte
 * slot and one number a directory.
 *
 * @param deviceSizes length in bytes of the file behind each device slot, 0 when there is none
 * @param lenient keep what is valid instead of throwing; the root must be valid all the same
 * @param strict refuse what the kernel shows although it breaks the format
 * @throws FormatError at the first problem, unless lenient
 */
export function checkTree(
  tables: ImageTables,
  deviceSizes: readonly number[],
  lenient: boolean,
  strict = false,
): { handle: ImageHandle; report: TreeReport } {
  const { meta, sb, devices, isFlat, prefixes, rafs } = tables;
  const slots = Math.ceil(meta.addressed / INODE_SLOT_SIZE);
  const ctx: CheckContext = {
    meta,
    sb,
    ...addressSpace(devices, isFlat, sb.blockSize),
    deviceSizes,
    prefixes,
    deviceMask: deviceMask(devices.length),
    claimed: new Bits(slots),
    taken: [],
    returnable: slots,
    dataEnds: devices.map(() => 0),
    hasXattrs: false,
    hasAcls: false,
    isStrict: strict,
    odd: 0,
    firstOdd: undefined,
  };
  const valid = new Bits(slots);
  const seen = new Bits(slots);
  const report: TreeReport = {
    inodes: 0,
    directories: 0,
    corrupt: 0,
    problems: [],
    odd: 0,
    firstOdd: undefined,
    prefetch: [],
    dataEnds: ctx.dataEnds,
    loaded: meta.loaded,
  };
  const queue: number[] = []; // pairs of directory, parent
  const inodeAt = (nid: number) => sb.metaAt + nid * INODE_SLOT_SIZE;

  /** Runs `check`; in a lenient pass a format error counts instead of ending it. */
  const guard = (check: () => void): boolean => {
    ctx.taken.length = 0;
    try {
      check();
      return true;
    } catch (error) {
      if (!lenient || !(error instanceof FormatError)) throw error;
      giveBack(ctx);
      report.corrupt++;
      if (report.problems.length < KEPT_PROBLEMS) report.problems.push(error);
      return false;
    }
  };

  const checkNid = (nid: number, entry: number): void => {
    if (nid === 0) fail(ctx, entry, "nid is 0, which is no inode");
    const at = inodeAt(nid);
    if (at + INODE_COMPACT > meta.size)
      fail(
        ctx,
        entry,
        `nid ${nid} is at 0x${at.toString(16)}, the image ends at 0x${meta.size.toString(16)}`,
      );
  };
  /** Checks the inode `nid` when it is met first. */
  const visit = (nid: number, parent: number): void => {
    seen.add(nid);
    ctx.taken.length = 0;
    const mode = checkInode(ctx, inodeAt(nid));
    valid.add(nid);
    report.inodes++;
    if ((mode & S_IFMT) !== S_IFDIR) return;
    report.directories++;
    queue.push(nid, parent);
  };

  let directory = 0;
  /** Found by the kernel under no name, and the end of every listing of its directory. */
  const checkLength = (entry: number, length: number) => {
    const block = entry - (entry % sb.blockSize);
    if (length > MAX_NAME)
      noteOdd(ctx, block + direntNameOff(meta.view, entry), `name is ${length} bytes, want 1…${MAX_NAME}`);
  };
  const checkEntry: OnEntry = (nid, type, entry, length) => {
    checkLength(entry, length);
    if (type >= DT_OF_TYPE.length) fail(ctx, entry, `file type is ${type}, want at most 7`);
    checkNid(nid, entry);
    const isNew = !seen.has(nid);
    if (!isNew && !valid.has(nid)) return;
    meta.need(inodeAt(nid), INODE_COMPACT);
    const mode = inodeMode(meta.view, inodeAt(nid));
    if (type !== 0 && DT_OF_TYPE[type] !== dtOfMode(mode))
      fail(ctx, entry, `file type is ${type}, the mode of its inode (nid ${nid}) is 0${mode.toString(8)}`);
    if (isNew) visit(nid, directory);
    else if ((mode & S_IFMT) === S_IFDIR) fail(ctx, entry, `directory nid ${nid} is named twice`);
  };
  /** A wrong entry leads nowhere; it harms neither the directory it is in nor what it names. */
  const checkOrPoison: OnEntry = (nid, type, entry, length) => {
    if (!guard(() => checkEntry(nid, type, entry, length))) poisonDirent(meta.view, entry);
  };
  const ignore: OnEntry = () => {};

  checkNid(sb.rootNid, sb.rootNidAt);
  visit(sb.rootNid, sb.rootNid);
  if (queue.length === 0) fail(ctx, inodeAt(sb.rootNid), "the root is not a directory");
  // A plain index instead of shift(): the queue holds every directory once.
  for (let i = 0; i < queue.length; i += 2) {
    directory = queue[i] as number;
    const parent = queue[i + 1] as number;
    const at = inodeAt(directory);
    const walk = (onEntry: OnEntry) => checkDirectory(ctx, at, directory, parent, onEntry);
    const check = () => {
      claimBlocks(ctx, at, "directory");
      walk(lenient ? ignore : checkEntry);
    };
    if (!lenient || i === 0) check();
    else if (!guard(check)) {
      valid.delete(directory);
      continue;
    }
    // A second time, because half a directory must not take children that are another one's.
    if (lenient) walk(checkOrPoison);
  }
  for (const nid of rafs?.prefetch ?? []) {
    if (nid < slots && valid.has(nid)) report.prefetch.push(nid);
    else
      guard(() => fail(ctx, PREFETCH_FIELD_AT, `prefetch table names nid ${nid}, which is not in the tree`));
  }

  report.odd = ctx.odd;
  report.firstOdd = ctx.firstOdd;
  return { handle: handleOf(tables, valid, ctx), report };
}

/** One line about what is odd in an image, undefined when nothing is. */
export function oddities({ odd, firstOdd }: TreeReport): string | undefined {
  if (firstOdd === undefined) return undefined;
  const more = odd === 1 ? "" : `, as are ${odd - 1} more names, symlinks or times`;
  return `${firstOdd.message}: shown as Linux shows it${more}`;
}

/** What a pass over a tree found out that the next one would find out again. */
export interface CheckedTree {
  /** See ImageHandle. */
  readonly valid: Uint8Array;
  readonly hasXattrs: boolean;
  readonly hasAcls: boolean;
  /** See MetaFile. */
  readonly loaded: Uint8Array;
}

/**
 * What `checkTree` makes, of an image that was checked already and is the same still.
 *
 * @throws FormatError when it cannot be read any more
 */
export function trustTree(tables: ImageTables, checked: CheckedTree): ImageHandle {
  tables.meta.loadAll(checked.loaded);
  const valid = new SharedArrayBuffer(checked.valid.length);
  new Uint8Array(valid).set(checked.valid);
  return handleOf(tables, new Bits(valid), checked);
}

function handleOf(
  { meta, sb, devices, isFlat, prefixes }: ImageTables,
  { shared: valid }: Bits,
  { hasXattrs, hasAcls }: { readonly hasXattrs: boolean; readonly hasAcls: boolean },
): ImageHandle {
  return {
    file: meta.file,
    shared: meta.shared,
    valid,
    blockBits: sb.blockBits,
    rootNid: sb.rootNid,
    metaAt: sb.metaAt,
    xattrAt: sb.xattrAt,
    epoch: sb.epoch,
    fixedNsec: sb.fixedNsec,
    devices,
    isFlat,
    prefixes,
    hasXattrs,
    hasAcls,
    totalBlocks: devices.reduce((sum, d) => sum + d.blocks, sb.blocks),
    inos: sb.inos,
  };
}
