import { readSync, writeSync } from "node:fs";
import { EIO } from "../bytes/errno.ts";
import { isTransient } from "./connection-errors.ts";
import { errorReply, REPLY_UNIQUE } from "./error-reply.ts";
import { IN } from "./wire.ts";
import { OP } from "../vfs/opcodes.ts";

const SILENT: ReadonlySet<number> = new Set([OP.FORGET, OP.BATCH_FORGET, OP.INTERRUPT, OP.NOTIFY_REPLY]);
const REQUEST = 64 * 1024;

/**
 * Answers EIO to everything until the mount is gone. Nobody hangs then, and who serves well again finds everybody there.
 * Knows nothing of images: whatever it is that serving one dies of, this does not.
 */
export function refuseAll(fd: number): void {
  const request = Buffer.alloc(REQUEST);
  const reply = errorReply(EIO);
  for (;;) {
    try {
      readSync(fd, request, 0, REQUEST, null);
    } catch (error) {
      if (isTransient(error)) continue;
      return;
    }
    if (SILENT.has(request.readUInt32LE(IN.OPCODE))) continue;
    request.copy(reply, REPLY_UNIQUE, IN.UNIQUE, IN.UNIQUE + 8);
    try {
      writeSync(fd, reply);
    } catch {
      // who asked waits no more, or the mount is gone: the next read says so
    }
  }
}
