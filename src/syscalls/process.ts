import { closeSync } from "node:fs";
import { bytesOf } from "../bytes/any-bytes.ts";
import { addressOf, systemCall } from "./system-call.ts";

/**
 * Takes a copy of another process's descriptor: the same open file, as if it had been inherited. Linux 5.6; wants the
 * right to trace that process.
 *
 * @throws SystemCallError
 */
export function descriptorOf(pid: number, fd: number): number {
  const process = systemCall("pidfd_open", `${pid}`, pid, 0);
  try {
    return systemCall("pidfd_getfd", `${pid}, ${fd}`, process, fd, 0);
  } finally {
    closeSync(process);
  }
}

/** `struct sigaction` of the kernel: handler, flags, on x86-64 the restorer, and the mask, 8 bytes each. */
const SIGACTION_SIZE = 32;
const SIG_IGN = 1n;

/** Has the kernel ignore a signal, whatever becomes of handlers. */
export function ignoreSignal(signal: number): void {
  const action = Buffer.alloc(SIGACTION_SIZE);
  action.writeBigUInt64LE(SIG_IGN);
  systemCall("rt_sigaction", `${signal}`, signal, action, null, 8);
}

/** Source: include/uapi/asm-generic/ioctls.h. */
const TIOCNOTTY = 0x5422;

/**
 * Gives up the controlling terminal. Of who leads its session, all in front of the terminal get SIGHUP.
 *
 * @throws SystemCallError when the descriptor is not of that terminal
 */
export const giveUpTerminal = (fd: number): void => {
  systemCall("ioctl", "TIOCNOTTY", fd, TIOCNOTTY, 0);
};

const F_SETFD = 2;

/** Has programs inherit an open file under its number. */
export const inherit = (fd: number): void => {
  systemCall("fcntl", `${fd}`, fd, F_SETFD, 0);
};

/**
 * Becomes another program: the same process, with nothing of this one left but stdin, stdout, stderr and what is
 * inherited.
 *
 * @throws SystemCallError when that cannot be; else it does not return
 */
export function become(path: string, args: readonly string[], env: NodeJS.ProcessEnv): never {
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const kept: Uint8Array[] = []; // until the kernel has copied them
  const table = (texts: readonly string[]): Uint8Array => {
    const pointers = Buffer.alloc(8 * (texts.length + 1));
    texts.forEach((text, i) => {
      const bytes = bytesOf(`${text}\0`);
      kept.push(bytes);
      pointers.writeBigUInt64LE(addressOf(bytes), 8 * i);
    });
    return pointers;
  };
  // Node sees to it that no child has its stdio by accident.
  for (const fd of [0, 1, 2]) inherit(fd);
  systemCall("execve", path, path, table([path, ...args]), table(words));
  throw new Error(`execve(${path}) came back: ${kept.length}`);
}
