import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it, vi } from "vitest";
import { handleSignals } from "../../src/daemon/signals.ts";
import { openLog } from "../../src/log/log.ts";

vi.mock("../../src/proc/process-guard.ts", () => ({ killSelfAfter: () => {} }));

const before = new Map(process.eventNames().map((name) => [name, process.listeners(name as "SIGINT")]));
afterEach(() => {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGUSR1", "SIGUSR2"] as const)
    for (const listener of process.listeners(name))
      if (!before.get(name)?.includes(listener)) process.off(name, listener);
});

/** Signals that a busy process hears one after the other. @returns how often it began to stop */
async function stops(ms: number, between: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const stop = async () => {
    count++;
    for (const end = performance.now() + ms; performance.now() < end; );
  };
  handleSignals(openLog("error"), () => {})({ stop });
  process.emit("SIGINT", "SIGINT");
  await between();
  process.emit("SIGTERM", "SIGTERM");
  return count;
}

it("a signal and its echo are one, however long the first is being served", async () =>
  expect(await stops(300, () => nextTurn())).toBe(1));

it("so are both where they are heard in one turn", async () =>
  expect(await stops(300, () => Promise.resolve())).toBe(1));

it("a signal that comes later is a second one", async () =>
  // Five times as long as an echo takes: a machine that stands still for a while makes a timer of Node shorter.
  expect(await stops(0, () => sleep(1000))).toBe(2));
