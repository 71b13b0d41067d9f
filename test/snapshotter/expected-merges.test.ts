import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { openLog } from "../../src/log/log.ts";
import { ExpectedMerges } from "../../src/snapshotter/expected-merges.ts";
import { until } from "../support/daemon.ts";

const [LOW, HIGH] = [["sha256:1"], ["sha256:1", "sha256:2"]];

/** Merges that end when they are given up, and who is being merged. */
function merges() {
  const running = new Set<readonly string[]>();
  const begun: (readonly string[])[] = [];
  const merge = (layers: readonly string[], signal: AbortSignal): Promise<void> => {
    running.add(layers);
    begun.push(layers);
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        running.delete(layers);
        reject(signal.reason);
      });
    });
  };
  return { expected: new ExpectedMerges(merge, openLog("error")), running, begun };
}

it("gives a merge up that has begun when another layer comes on top", async () => {
  const { expected, running, begun } = merges();
  expected.expect(LOW);
  await until(() => running.has(LOW), "the merge of one layer");
  expected.unexpect(LOW);
  expected.expect(HIGH);
  await until(() => running.has(HIGH), "the merge of both");
  expect([...running]).toEqual([HIGH]);
  expect(begun).toEqual([LOW, HIGH]);
  expected.close();
  expect(running.size).toBe(0);
});

it("begins none when the next layer comes soon", async () => {
  const { expected, begun } = merges();
  expected.expect(LOW);
  expected.unexpect(LOW);
  expected.expect(HIGH);
  await until(() => begun.length > 0, "the merge");
  await sleep(0);
  expect(begun).toEqual([HIGH]);
  expected.close();
});
