import { addressOf, SystemCallError, systemCall } from "./system-call.ts";

const RWF_NOWAIT = 8;

/** `struct iovec`; one will do, calls are made one after the other. */
const iovec = new BigUint64Array(2);
const iovecBytes = new Uint8Array(iovec.buffer);

/**
 * Reads what the page cache has, without waiting for a disk.
 *
 * @returns bytes that were read, fewer than there is room for where the rest has to be waited for, 0 at the end of the
 *   file; -1 when nothing of it is there, or the file system cannot say
 * @throws SystemCallError for what a read that waits would fail with, too
 */
export function readCached(fd: number, into: Uint8Array, at: number): number {
  iovec[0] = addressOf(into);
  iovec[1] = BigInt(into.length);
  try {
    return systemCall("preadv2", "RWF_NOWAIT", fd, iovecBytes, 1, at, 0, RWF_NOWAIT);
  } catch (error) {
    if (error instanceof SystemCallError && ["EAGAIN", "ENOTSUP", "ENOSYS"].includes(error.code)) return -1;
    throw error;
  }
}
