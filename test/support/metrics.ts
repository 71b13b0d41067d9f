import { setTimeout as sleep } from "node:timers/promises";
import type { Daemon } from "./daemon.ts";

/** HOST:PORT that a daemon says it tells its metrics at. */
export function metricsAddress(daemon: Daemon): string {
  const address = /^ready .* metrics=(\S+) /m.exec(daemon.output())?.[1];
  if (address === undefined) throw new Error(`no metrics address in: ${daemon.output()}`);
  return address;
}

/** One number of a daemon: `series` with its labels, as it stands in the answer. */
export async function metric(daemon: Daemon, series: string): Promise<number> {
  const text = await (await fetch(`http://${metricsAddress(daemon)}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  if (line === undefined) throw new Error(`no ${series} in: ${text}`);
  return Number(line.slice(series.length + 1));
}

/** Resolves when a number is what is wanted of it. */
export async function reach(
  what: string,
  ask: () => Promise<number>,
  isIt: (value: number) => boolean,
): Promise<void> {
  let value = await ask();
  for (const end = Date.now() + 60_000; !isIt(value); value = await ask()) {
    if (Date.now() > end) throw new Error(`${what}: still ${value}`);
    await sleep(20);
  }
}
