import { rmSync } from "node:fs";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Temporary names that are in use: a signal that ends the process takes them along. */
const names = new Set<string>();
/** What has to end first, because it makes such names itself. */
const makers = new Set<() => Promise<unknown>>();
let tell: ((name: string, isKept: boolean) => void) | undefined;

/** From now on the file is removed when a signal ends the process. */
export function keep(name: string): void {
  if (tell !== undefined) tell(name, true);
  else {
    listen();
    names.add(name);
  }
}

/** The file is gone, or has become what it should be. */
export function release(name: string): void {
  if (tell !== undefined) tell(name, false);
  else {
    names.delete(name);
    ignore();
  }
}

/** Signals come to the main thread only: another thread has its names kept there. */
export function keepElsewhere(teller: (name: string, isKept: boolean) => void): void {
  tell = teller;
}

/**
 * While something else makes files, a signal ends that first.
 *
 * @param stop resolves when no name will be kept any more
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

function listen(): void {
  if (names.size + makers.size === 0) for (const signal of SIGNALS) process.on(signal, leave);
}

function ignore(): void {
  if (names.size + makers.size === 0) for (const signal of SIGNALS) process.removeListener(signal, leave);
}

/** Ends what makes files: in another thread, when it is told that a signal has come. */
export async function stopMakers(): Promise<void> {
  await Promise.allSettled([...makers].map((stop) => stop()));
}

async function leave(signal: NodeJS.Signals): Promise<void> {
  await stopMakers();
  for (const name of names) rmSync(name, { force: true });
  names.clear();
  makers.clear();
  ignore();
  process.kill(process.pid, signal); // nobody listens any more: this ends the process, as that signal does
}
