import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { elementAt } from "../bytes/element-at.ts";
import { readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { AtomicFile } from "../atomic-file/atomic-file.ts";
import { copyFileRange, nextData } from "../syscalls/copy-range.ts";
import { becameShorter, type DiskFile } from "./disk-reader.ts";
import type { FlatDisk, Run } from "./flat-disk.ts";

/** A signal is heard only between two steps. */
const STEP = 32 << 20;
const BUFFER = 1 << 20;
/** The kernel cannot copy between these files: other file systems, or ones that it does not trust with it. */
const UNABLE = new Set(["EXDEV", "EINVAL", "ENOTSUP", "ENOSYS", "EPERM", "EBADF"]);

/**
 * Writes a disk by having the kernel copy what lies in files. Holes of the files stay holes.
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
  for (const { at, length, source } of disk.runs) {
    if ("bytes" in source) out.write(source.bytes, at);
    else await copyRun({ at, length, source }, elementAt(files, source.file), out, done);
    done[0] = at + length;
  }
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
