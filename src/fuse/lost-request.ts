import { writeSync } from "node:fs";
import { EIO } from "../bytes/errno.ts";
import { NOW, type Now } from "../metrics/inflight.ts";
import { OUT, OUT_HEADER } from "./wire.ts";

/**
 * Answers EIO in the name of a worker that failed, if it owed an answer: whoever asked would wait for as long as other
 * workers serve.
 *
 * @param fd the FUSE device
 * @param worker what it was doing
 */
export function answerLost(fd: number, worker: Now): void {
  if (worker[NOW.OPCODE] === 0) return;
  const reply = new DataView(new ArrayBuffer(OUT_HEADER));
  reply.setUint32(OUT.LEN, OUT_HEADER, true);
  reply.setInt32(OUT.ERROR, -EIO, true);
  reply.setUint32(OUT.UNIQUE, worker[NOW.UNIQUE], true);
  reply.setUint32(OUT.UNIQUE + 4, worker[NOW.UNIQUE_HIGH], true);
  try {
    writeSync(fd, reply);
  } catch {} // it was answered, wants no answer, or the session is over
}
