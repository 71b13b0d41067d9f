import { write } from "node:fs";
import { EINTR } from "../bytes/errno.ts";
import { inflight } from "../counters/inflight.ts";
import { errorReply, REPLY_UNIQUE } from "../fuse/error-reply.ts";
import { statOf } from "../proc/processes.ts";
import { OP } from "../vfs/opcodes.ts";

/** In `statOf`: `flags`, and `signal`: what waits for this thread alone. */
const FLAGS = 6;
const PENDING = 28;
const PF_EXITING = 4;
const SIGKILL = 1 << 8;

/**
 * Answers READs that hang to callers that were killed and cannot go: an O_DIRECT read waits for its answer whatever
 * happens (fs/fuse/file.c, fuse_direct_IO), and the kernel sends no INTERRUPT for it. Other callers are gone already: one
 * that waits for a page can be killed. The worker's own answer is refused then (ENOENT).
 *
 * @param before only READs that began before, ms since 1970
 */
export function answerKilledCallers(fd: number, inflightTable: SharedArrayBuffer, before: number): void {
  const killed = inflight(inflightTable).filter(
    ({ opcode, since, caller }) => opcode === OP.READ && since < before && caller !== 0 && isKilled(caller),
  );
  if (killed.length === 0) return;
  const still = new Set(inflight(inflightTable).map(({ unique }) => unique));
  for (const { unique } of killed) {
    if (!still.has(unique)) continue;
    const reply = errorReply(EINTR);
    reply.writeBigUInt64LE(unique, REPLY_UNIQUE);
    write(fd, reply, () => {}); // ENOENT: answered meanwhile, or before
  }
}

/** What the kernel calls a fatal signal, of any kind: SIGKILL is pending for each thread, or it is exiting already. */
function isKilled(thread: number): boolean {
  const stat = statOf(thread);
  if (stat === undefined) return false; // it is gone
  return (Number(stat[PENDING]) & SIGKILL) !== 0 || (Number(stat[FLAGS]) & PF_EXITING) !== 0;
}

/** Whether a thread waits for what it reads, and not for a CPU. */
export const isAsleep = (thread: number): boolean => thread === 0 || statOf(thread)?.[0] !== "R";
