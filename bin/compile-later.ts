import { setFlagsFromString } from "node:v8";

/** Bytes of bytecode that a function runs before it is compiled for speed; V8 has 67,584. */
const BUDGET = 500_000;

/**
 * The V8 of Node 20 has its slow compiler work on whatever has run for a moment: a quarter of the CPU time of 254 short layers,
 * and nothing gained by it. Later ones count calls, and have a faster compiler in between.
 */
export function compileLater(): void {
  if (process.versions.v8.startsWith("11.3.")) setFlagsFromString(`--interrupt-budget=${BUDGET}`);
}
