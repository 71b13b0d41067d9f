import { spawn } from "node:child_process";
import { rmSync } from "node:fs";

/**
 * What a signal that ends the process must not leave behind. State of the process, because signal handlers are, too:
 * for commands that make files and end, not for a daemon, which has handlers of its own.
 */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const temporaries = new Set<string>();
/** What has to end first, because it makes temporary files itself. */
const makers = new Set<() => Promise<unknown>>();
type Register = (path: string, isThere: boolean) => void;
let elsewhere: Register | undefined;

/** From now on a signal that ends the process removes the file, too. */
export function registerTemporary(path: string): void {
  if (elsewhere !== undefined) elsewhere(path, true);
  else {
    listen();
    temporaries.add(path);
  }
}

/** The file is gone, or has become what it should be. */
export function unregisterTemporary(path: string): void {
  if (elsewhere !== undefined) elsewhere(path, false);
  else {
    temporaries.delete(path);
    ignore();
  }
}

/** Signals come to the main thread only: a worker thread sends the names of its files there. */
export function registerElsewhere(register: Register): void {
  elsewhere = register;
}

/**
 * While something else makes files, a signal ends that first.
 *
 * @param stop resolves when it will make no more
 * @returns to be called when it has ended by itself
 */
export function stopFirst(stop: () => Promise<unknown>): () => void {
  listen();
  makers.add(stop);
  return () => {
    makers.delete(stop);
    ignore();
  };
}

const isIdle = (): boolean => temporaries.size + makers.size === 0;

/** Before the first of them. */
function listen(): void {
  if (isIdle()) for (const signal of SIGNALS) process.on(signal, leave);
}

/** After the last. */
function ignore(): void {
  if (isIdle()) for (const signal of SIGNALS) process.removeListener(signal, leave);
}

/** Ends what makes files; a worker thread calls it when the main thread says that a signal has come. */
export async function stopMakers(): Promise<void> {
  await Promise.allSettled([...makers].map((stop) => stop()));
}

/** Removes what it is given when the pipe that it reads ends without a word: the process at its other end has died. */
const JANITOR = 'trap "" INT TERM HUP; read -r done || rm -f -- "$@"';

/**
 * Does work that comes back to no event loop, in which no handler would hear a signal for that long: a signal ends the process at
 * once, and another process removes what it leaves. In a worker thread, which is ended from outside, only the work is done.
 *
 * @param work makes no files
 */
export function whileDeaf<T>(work: () => T): T {
  if (elsewhere !== undefined || isIdle()) return work();
  const janitor = spawn("/bin/sh", ["-c", JANITOR, "sh", ...temporaries], {
    detached: true, // of the terminal's signals
    stdio: ["pipe", "ignore", "ignore"],
  });
  janitor.on("error", () => {});
  janitor.stdin.on("error", () => {});
  for (const signal of SIGNALS) process.removeListener(signal, leave);
  try {
    return work();
  } finally {
    for (const signal of SIGNALS) process.on(signal, leave);
    janitor.stdin.end("done\n");
    janitor.unref();
  }
}

async function leave(signal: NodeJS.Signals): Promise<void> {
  await stopMakers();
  for (const path of temporaries) rmSync(path, { force: true });
  temporaries.clear();
  makers.clear();
  ignore();
  process.kill(process.pid, signal); // no listener is left: this ends the process as that signal does
}
