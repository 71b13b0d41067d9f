import { OUT, OUT_HEADER } from "./wire.ts";

/** Where the number of the request is in an answer, u64. */
export const REPLY_UNIQUE = OUT.UNIQUE;

/**
 * An answer that has nothing but an error, to whichever request is written into it.
 *
 * @param errno positive
 * @returns `struct fuse_out_header`
 */
export function errorReply(errno: number): Buffer {
  const reply = Buffer.alloc(OUT_HEADER);
  reply.writeUInt32LE(OUT_HEADER, OUT.LEN);
  reply.writeInt32LE(-errno, OUT.ERROR);
  return reply;
}
