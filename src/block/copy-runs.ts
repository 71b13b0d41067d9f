import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { elementAt } from "../bytes/element-at.ts";
import { readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { AtomicFile } from "../atomic-file/atomic-file.ts";
import { copyFileRange, nextData } from "../syscalls/copy-range.ts";
import { LARGE_BLOCK } from "./aligned-disk.ts";
import { becameShorter, type DiskFile, DiskReader } from "./disk-reader.ts";
import type { FlatDisk, Run } from "./flat-disk.ts";

/** A signal is heard only between two steps. */
const STEP = 32 << 20;
const BUFFER = 1 << 20;
/** The kernel cannot copy between these files: other file systems, or ones that it does not trust with it. */
const UNABLE = new Set(["EXDEV", "EINVAL", "ENOTSUP", "ENOSYS", "EPERM", "EBADF"]);

/**
 * Writes a disk by having the kernel copy what lies in files. Holes of the files stay holes. Small neighbours, of which a disk whose
 * files were moved has one a file, are read, and written at once: a call of the kernel for each would be most of the work.
 *
 * @param out as long as the disk already
 * @param done one cell, told up to which byte the disk is there
 * @throws OperationalError naming the file
 */
export async function copyRuns(
  disk: FlatDisk,
  files: readonly DiskFile[],
  out: AtomicFile,
  done: Float64Array,
): Promise<void> {
  const reader = new DiskReader(disk, files);
  const buffer = Buffer.allocUnsafe(BUFFER);
  for (let i = 0; i < disk.runs.length; ) {
    const { at, length, source } = elementAt(disk.runs, i);
    const small = smallNeighbours(disk.runs, i);
    if (small.count > 1) {
      const bytes = buffer.subarray(0, small.end - at);
      reader.read(at, bytes);
      out.write(bytes, at);
      out.flushBehind(small.end);
      await setImmediate();
    } else if ("bytes" in source) out.write(source.bytes, at);
    else await copyRun({ at, length, source }, elementAt(files, source.file), out, done);
    done[0] = small.end;
    i += small.count;
  }
}

/** How many runs from one on lie side by side, but for less than a block each, and fit in the buffer; one at least. */
function smallNeighbours(runs: readonly Run[], first: number): { count: number; end: number } {
  const { at, length } = elementAt(runs, first);
  let count = 1;
  let end = at + length;
  for (let next = runs[first + 1]; next !== undefined; next = runs[first + count]) {
    if (next.at - end >= LARGE_BLOCK || next.at + next.length - at > BUFFER) break;
    end = next.at + next.length;
    count++;
  }
  return { count, end };
}

async function copyRun(
  { at, length, source }: Run & { source: { from: number } },
  file: DiskFile,
  out: AtomicFile,
  done: Float64Array,
): Promise<void> {
  const end = source.from + length;
  for (let from = source.from; from < end; ) {
    const data = nextData(file.fd, from);
    if (data === undefined || data.at >= end) return;
    from = data.at;
    const stop = Math.min(data.end, end);
    while (from < stop) {
      const n = copyStep(file, from, out, at + from - source.from, Math.min(STEP, stop - from));
      from += n;
      done[0] = at + from - source.from;
      out.flushBehind(done[0]);
      await setImmediate();
    }
  }
}

function copyStep(file: DiskFile, from: number, out: AtomicFile, at: number, length: number): number {
  try {
    const n = copyFileRange(file.fd, from, out.fd, at, length);
    if (n > 0) return n;
  } catch (error) {
    if (!UNABLE.has(codeOf(error) ?? "")) throw new OperationalError(`${out.path}: ${messageOf(error)}`);
  }
  const buffer = Buffer.allocUnsafe(Math.min(BUFFER, length));
  const n = readSync(file.fd, buffer, 0, buffer.length, from);
  if (n === 0) throw becameShorter(file, from);
  out.write(buffer.subarray(0, n), at);
  return n;
}
