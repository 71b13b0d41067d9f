import { isatty } from "node:tty";
import { ignoreSignal } from "../syscalls/process.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";

const SIGHUP = 1;

/**
 * For a command that says that it is done, and whose terminal may go away because of that: it has not failed then. Not by a
 * handler: Node takes those back a while before it ends.
 *
 * @returns ignores it from now on; nothing where there is no terminal
 */
export async function preparedForHangup(): Promise<() => void> {
  if (![0, 1, 2].some((fd) => isatty(fd))) return () => {};
  try {
    await loadSystemCalls();
    return () => {
      process.removeAllListeners("SIGHUP");
      ignoreSignal(SIGHUP);
    };
  } catch {
    return () => {}; // no system calls on this machine
  }
}
