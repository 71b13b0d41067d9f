import { OP_COUNT, opName } from "../vfs/opcodes.ts";
import { COUNT, type Counters } from "../counters/counters.ts";

/** All counters that are not zero, by name: requests by opcode, then the rest. */
export function countsOf(counters: Counters): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let opcode = 0; opcode < OP_COUNT; opcode++) {
    const n = counters[opcode];
    if (n > 0) counts[opName(opcode)] = n;
  }
  for (const [name, index] of Object.entries(COUNT)) {
    const n = counters[index];
    if (n > 0) counts[name.toLowerCase()] = n;
  }
  return counts;
}
