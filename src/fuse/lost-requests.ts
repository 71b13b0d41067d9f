import { writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { EIO } from "../bytes/errno.ts";
import { codeOf } from "../bytes/errors.ts";
import { putU64 } from "../bytes/u64.ts";
import { INFLIGHT, type InflightRow } from "../counters/inflight.ts";
import { CONNECTIONS } from "./abort.ts";
import { connectionEnd } from "./connection-errors.ts";
import { errorReply, REPLY_UNIQUE } from "./error-reply.ts";
import { resendAll } from "./notify.ts";

/**
 * What becomes of requests that a process had read when it died, as nydusd names it. `resend`: they are read again, and
 * where the kernel cannot do that they fail; `flush`: they fail; `none`: their callers wait until the mount is gone.
 */
export type FailoverPolicy = "resend" | "flush" | "none";

/** Two requests after one another differ by this (fs/fuse/fuse_i.h, FUSE_REQ_ID_STEP). */
const STEP = 2;
/** Requests before the last one that was noted, and after it, that may be lost: a second's worth at full speed. */
const BEFORE = 16_384;
const AFTER = 65_536;

/**
 * Sees to the requests that a process took with it when it died. Called while no thread reads the device.
 *
 * @param device `major:minor` of the mount
 * @param last number of a request that was read not long before
 * @returns what was done, for people
 */
export function recoverRequests(fd: number, policy: FailoverPolicy, device: string, last: number): string {
  if (policy === "none") return "left to hang";
  if (policy === "resend" && (resend(fd) || resendByFile(device))) return "sent again";
  return `${failLost(fd, last)} failed`;
}

function resend(fd: number): boolean {
  try {
    writeSync(fd, resendAll());
    return true;
  } catch (error) {
    if (codeOf(error) === "EINVAL") return false;
    // It was unmounted or aborted meanwhile, and no caller waits: the next read of the device says so.
    if (connectionEnd(error) !== undefined) return true;
    throw error;
  }
}

/** Some vendors' older kernels have it (nydus, docs/nydus-failover-upgrade.md). */
function resendByFile(device: string): boolean {
  try {
    writeFileSync(join(CONNECTIONS, device.split(":")[1], "resend"), "1", { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}

/** Answers each request that may be lost; the kernel knows which are (ENOENT: not that one). */
function failLost(fd: number, last: number): number {
  const reply = errorReply(EIO);
  const v = new DataView(reply.buffer, reply.byteOffset);
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0; // most of these writes fail, and their traces would be most of the work
  let failed = 0;
  for (let unique = Math.max(STEP, last - BEFORE * STEP); unique <= last + AFTER * STEP; unique += STEP) {
    putU64(v, REPLY_UNIQUE, unique);
    try {
      writeSync(fd, reply);
      failed++;
    } catch {
      // not lost
    }
  }
  Error.stackTraceLimit = limit;
  return failed;
}

/**
 * Answers EIO in the name of a worker that failed, if it owed an answer: the caller would wait for as long as other
 * workers serve.
 *
 * @param fd the FUSE device
 * @param worker what it was doing
 */
export function answerLost(fd: number, worker: InflightRow): void {
  if (worker[INFLIGHT.OPCODE] === 0) return;
  const reply = errorReply(EIO);
  reply.writeUInt32LE(worker[INFLIGHT.UNIQUE] >>> 0, REPLY_UNIQUE);
  reply.writeUInt32LE(worker[INFLIGHT.UNIQUE_HIGH] >>> 0, REPLY_UNIQUE + 4);
  try {
    writeSync(fd, reply);
  } catch {} // it was answered, wants no answer, or the session is over
}
