import { writeSync } from "node:fs";
import { EIO } from "../bytes/errno.ts";
import { INFLIGHT, type InflightRow } from "../counters/inflight.ts";
import { errorReply, REPLY_UNIQUE } from "./error-reply.ts";

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
