import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { codeOf, OperationalError } from "../bytes/errors.ts";
import { tryLock } from "../syscalls/flock.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";

const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;

/**
 * Takes a store for this process alone: the kernel gives it back when the process ends, however it does.
 *
 * @returns to be called when it is not used any more
 * @throws OperationalError naming who has it
 */
export async function lockRoot(root: string): Promise<() => void> {
  await loadSystemCalls();
  const path = join(root, "lock");
  const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    tryLock(fd, path);
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`, 0);
    return () => closeSync(fd);
  } catch (error) {
    const holder = readFileSync(fd, "latin1").trim();
    closeSync(fd);
    if (codeOf(error) !== "EAGAIN") throw error;
    throw new OperationalError(`layer store ${root}: process ${holder || "?"} uses it`);
  }
}
