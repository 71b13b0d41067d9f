/** Ends this process at once: exiting would wait for threads that block (docs/transports.md). */
export const killSelf = (): void => {
  process.kill(process.pid, "SIGKILL");
};

/** Ends it after a time unless it has ended by itself. */
export function killSelfAfter(ms: number): void {
  setTimeout(killSelf, ms).unref();
}

let handle: ((error: unknown) => void) | undefined;

/**
 * Says what becomes of exceptions that nothing has caught, of rejected promises, too: Node makes them exceptions. There is
 * one rule for the process; the last one that was given holds.
 */
export function onUncaught(rule: (error: unknown) => void): void {
  if (handle === undefined) process.on("uncaughtException", (error: unknown) => handle?.(error));
  handle = rule;
}
