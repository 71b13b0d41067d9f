import { writeSync } from "node:fs";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { BlockDigest } from "../verity/block-digest.ts";
import { DIGEST_SIZE, FANOUT, HASH_BLOCK, type VerityParameters } from "../verity/hash-tree.ts";
import { type DiskFile, DiskReader } from "./disk-reader.ts";
import { FlatDisk, type Run } from "./flat-disk.ts";

/** Hash blocks of level 0 that are made at a time: of 1 MiB of data in blocks of 512 bytes. */
const BATCH = 16;
/** Data that are read at a time: with twice as many they have left the CPU's own cache when they are hashed, which costs a third (0055). */
const PIECE = 128 << 10;

/** Hashing a disk, by as many threads as take part; survives a structured clone. */
export interface HashTask {
  readonly size: number;
  readonly runs: readonly Run[];
  readonly files: readonly DiskFile[];
  readonly parameters: VerityParameters;
  /** Where data go to as they are hashed, and where level 0 is written: byte of its file. */
  readonly copyTo: DiskFile | undefined;
  readonly tree: DiskFile & { readonly at: number };
  /** One cell in shared memory: the next batch that nobody has taken. */
  readonly next: Int32Array;
  /** In shared memory: digests of the hash blocks of level 0, side by side. */
  readonly digests: Uint8Array;
  /** One cell, told up to which byte the disk is there, about: threads write it one over the other. */
  readonly done: Float64Array;
}

/** Takes one batch after the other until none is left. @throws OperationalError naming a file that cannot be read */
export function hashDisk(task: HashTask): void {
  const { parameters, files, next, digests, tree, copyTo, done } = task;
  const { dataBlock, dataBlocks, salt } = parameters;
  const reader = new DiskReader(new FlatDisk(task.size, task.runs), files);
  const leaf = new BlockDigest(salt, dataBlock);
  const above = new BlockDigest(salt, HASH_BLOCK);
  const span = BATCH * FANOUT * dataBlock;
  const data = Buffer.alloc(Math.max(PIECE, dataBlock));
  const hashes = new Uint8Array(BATCH * HASH_BLOCK);
  for (;;) {
    const batch = Atomics.add(next, 0, 1);
    const at = batch * span;
    const length = Math.min(span, dataBlocks * dataBlock - at);
    if (length <= 0) return;
    hashes.fill(0);
    for (let done = 0; done < length; done += data.length) {
      const bytes = data.subarray(0, Math.min(data.length, length - done));
      reader.read(at + done, bytes);
      if (copyTo !== undefined) writeData(copyTo, bytes, at + done);
      leaf.all(bytes, hashes, (done / dataBlock) * DIGEST_SIZE);
    }
    if (dataBlocks === 1) digests.set(hashes.subarray(0, DIGEST_SIZE));
    else {
      const blocks = Math.ceil(length / (FANOUT * dataBlock));
      const used = hashes.subarray(0, blocks * HASH_BLOCK);
      writeAll(tree, used, tree.at + batch * hashes.length);
      above.all(used, digests, batch * BATCH * DIGEST_SIZE);
    }
    done[0] = Math.max(done[0] ?? 0, at + length);
  }
}

/** Leaves out what is zeros: the file is as long as the disk, and has holes there. */
function writeData(file: DiskFile, data: Buffer, at: number): void {
  const unit = FANOUT * 512;
  for (let from = 0; from < data.length; from += unit) {
    const part = data.subarray(from, from + unit);
    if (!isZero(part)) writeAll(file, part, at + from);
  }
}

const ZEROS = Buffer.alloc(FANOUT * 512);
const isZero = (bytes: Buffer): boolean => ZEROS.subarray(0, bytes.length).equals(bytes);

function writeAll({ fd, name }: DiskFile, bytes: Uint8Array, at: number): void {
  try {
    for (let done = 0; done < bytes.length; )
      done += writeSync(fd, bytes, done, bytes.length - done, at + done);
  } catch (error) {
    throw new OperationalError(`${name}: ${messageOf(error)}`);
  }
}
