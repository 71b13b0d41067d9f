import { afterEach, expect, it } from "vitest";
import { INFLIGHT } from "../../src/counters/inflight.ts";
import { HungRequests } from "../../src/prometheus/hung.ts";
import { begin, fakeMount, LOOKUP, READ } from "./mount.ts";

const open: HungRequests[] = [];
afterEach(() => {
  for (const hung of open.splice(0)) hung.close();
});

function watch() {
  const mount = fakeMount();
  const said: string[] = [];
  const clock = { ms: 1_000_000 };
  const hung = new HungRequests(
    mount,
    10,
    (message) => said.push(message),
    () => clock.ms,
  );
  open.push(hung);
  /** What is said at a moment, in s. */
  const at = (seconds: number) => {
    clock.ms = 1_000_000 + seconds * 1000;
    hung.look();
    return said.splice(0);
  };
  return { mount, at };
}

it("a hung request is said once, with its path and age, and forgotten when it is answered", () => {
  const { mount, at } = watch();
  const [a] = mount.inflightRows;
  begin(a, READ, 42, 7, 1_000_000);
  expect(at(9)).toEqual([]);
  expect(at(10)).toEqual([]);
  expect(at(10.5)).toEqual(["hung for 10.5 s: read of node 42 (/file42), request 7"]);
  expect(at(60)).toEqual([]);
  a[INFLIGHT.OPCODE] = 0;
  expect(at(61)).toEqual([]);
  begin(a, LOOKUP, 43, 8, 1_061_000);
  expect(at(70)).toEqual([]);
  expect(at(72)).toEqual(["hung for 11.0 s: lookup of node 43 (/file43), request 8"]);
});

it("several hung requests take one walk, and a node without a path is logged, too", () => {
  const { mount, at } = watch();
  begin(mount.inflightRows[0], READ, 200, 7, 1_000_000);
  begin(mount.inflightRows[1], READ, 1, 8, 1_001_000);
  expect(at(20)).toEqual([
    "hung for 20.0 s: read of node 200 (path unknown), request 7",
    "hung for 19.0 s: read of node 1 (/file1), request 8",
  ]);
  expect(mount.walks).toBe(1);
  expect(at(40)).toEqual([]);
  expect(mount.walks).toBe(1);
});
