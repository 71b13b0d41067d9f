import { setFlagsFromString } from "node:v8";

/** Bytes of bytecode that a function runs before it is compiled for speed; what V8 has, and more. */
const USUAL = 67_584;
const BUDGET = 500_000;

/**
 * The V8 of Node 20 has its slow compiler work on whatever has run for a moment: a quarter of the CPU time of 254 short layers,
 * and nothing gained by it. Later ones count calls, and have a faster compiler in between.
 */
export function compileLater(): void {
  setBudget(BUDGET);
}

/** The same until work is done: what serves afterwards has to be fast. */
export async function compilingLater<T>(work: () => Promise<T>): Promise<T> {
  setBudget(BUDGET);
  try {
    return await work();
  } finally {
    setBudget(USUAL);
  }
}

function setBudget(bytes: number): void {
  if (process.versions.v8.startsWith("11.3.")) setFlagsFromString(`--interrupt-budget=${bytes}`);
}
