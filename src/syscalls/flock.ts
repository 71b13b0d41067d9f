import { systemCall } from "./system-call.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Locks an open file; the lock goes with the last descriptor of this opening.
 *
 * @throws SystemCallError EAGAIN when another opening has it
 */
export const tryLock = (fd: number, path: string): void => {
  systemCall("flock", path, fd, LOCK_EX | LOCK_NB);
};
