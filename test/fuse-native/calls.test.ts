import { expect, it } from "vitest";
import { COUNT, countersOf, newCounters, opcodeTotals } from "../../src/counters/counters.ts";
import { Calls } from "../../src/fuse-native/calls.ts";
import { OP } from "../../src/vfs/opcodes.ts";

function calls() {
  const counters = countersOf(newCounters(1), 0);
  const lines: string[] = [];
  const errors: string[] = [];
  let setTraced: (isTraced: boolean) => void = () => {};
  const made = new Calls({
    counters,
    onUnexpected: (opcode, error) => errors.push(`${opcode}: ${error}`),
    trace: (line) => lines.push(line.replace(/ us=\d+$/, "")),
    watchTrace: (changed) => {
      setTraced = changed;
    },
  });
  return { calls: made, counters, lines, errors, trace: (isTraced: boolean) => setTraced(isTraced) };
}

it("a call is counted by its operation, with its error", () => {
  const { calls: c, counters } = calls();
  expect([c.run(OP.READ, "/f", () => 4096), c.run(OP.READ, "/f", () => -5)]).toEqual([4096, -5]);
  expect(opcodeTotals(counters)).toMatchObject([{ opcode: OP.READ, requests: 2, errors: 1 }]);
});

it("an exception in a handler is EIO, counted and told", () => {
  const { calls: c, counters, errors } = calls();
  const fail = () => {
    throw new Error("broken");
  };
  expect(c.run(OP.GETATTR, "/f", fail)).toBe(-5);
  expect(counters[COUNT.UNEXPECTED]).toBe(1);
  expect(errors).toEqual(["3: Error: broken"]);
});

it("a call and its answer are a line each while calls are traced, and details are made only then", () => {
  const { calls: c, lines, trace } = calls();
  let made = 0;
  const details = () => ` n=${++made}`;
  c.run(OP.GETATTR, "/before", () => 0, details);
  trace(true);
  c.run(OP.GETATTR, '/a "b"\n', () => 0, details);
  c.run(OP.READLINK, "/c", () => -2);
  trace(false);
  c.run(OP.GETATTR, "/after", () => 0, details);
  expect(made).toBe(1);
  expect(lines).toEqual([
    String.raw`request unique=1 op=getattr path="/a \x22b\x22\x0a" n=1`,
    "reply unique=1 op=getattr bytes=0",
    'request unique=2 op=readlink path="/c"',
    "reply unique=2 op=readlink errno=ENOENT",
  ]);
});
