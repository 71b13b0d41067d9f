import { isatty } from "node:tty";
import { giveUpTerminal, ignoreSignal } from "../syscalls/process.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";

const SIGHUP = 1;

/**
 * For a command that says that it is done, and whose terminal may go away because of that: it has not failed then. Not by a
 * handler: Node takes those back a while before it ends. Nor by ignoring it alone: Node takes that back as well, at the very end.
 * So the terminal is given up, whose end is not told to this process then.
 *
 * @returns ignores it from now on; nothing where there is no terminal
 */
export async function preparedForHangup(): Promise<() => void> {
  const terminal = [0, 1, 2].find((fd) => isatty(fd));
  if (terminal === undefined) return () => {};
  try {
    await loadSystemCalls();
    return () => {
      process.removeAllListeners("SIGHUP");
      ignoreSignal(SIGHUP);
      try {
        giveUpTerminal(terminal);
      } catch {} // it is not the one that tells
    };
  } catch {
    return () => {}; // no system calls on this machine
  }
}
