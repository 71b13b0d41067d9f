import { readSync, writeSync } from "node:fs";
import { EIO } from "../bytes/errno.ts";
import { OP } from "../vfs/opcodes.ts";
import { isTransient } from "./connection-errors.ts";
import { errorReply, REPLY_UNIQUE } from "./error-reply.ts";
import { IN } from "./wire.ts";

const NO_REPLY: ReadonlySet<number> = new Set([OP.FORGET, OP.BATCH_FORGET, OP.INTERRUPT, OP.NOTIFY_REPLY]);
const REQUEST = 64 * 1024;

/**
 * Answers EIO to everything until the mount is gone, so that no caller hangs, and a process that can serve again finds the
 * mount there. Knows nothing of images: a process that dies of serving one does not die of this.
 */
export function failAll(fd: number): void {
  const request = Buffer.alloc(REQUEST);
  const reply = errorReply(EIO);
  for (;;) {
    try {
      readSync(fd, request, 0, REQUEST, null);
    } catch (error) {
      if (isTransient(error)) continue;
      return;
    }
    if (NO_REPLY.has(request.readUInt32LE(IN.OPCODE))) continue;
    request.copy(reply, REPLY_UNIQUE, IN.UNIQUE, IN.UNIQUE + 8);
    try {
      writeSync(fd, reply);
    } catch {
      // the caller was killed, or the mount is gone: the next read says so
    }
  }
}
