import { expect, it } from "vitest";
import { newNlookup, restoreOutstanding } from "../../src/fuse/nlookup.ts";
import type { ImageInstance } from "../../src/session/image-instance.ts";
import { ReleaseQueue, type ReleaseQueueDeps } from "../../src/session/release-queue.ts";
import { ManualClock, newLog } from "./support.ts";

/** An image of which the kernel has so many lookups. */
function instance(outstanding: number): ImageInstance {
  const nlookup = newNlookup(1);
  restoreOutstanding(nlookup, outstanding);
  return { shared: { nlookup } } as ImageInstance;
}

function start(more: Partial<ReleaseQueueDeps>) {
  const clock = new ManualClock();
  const log = newLog();
  const freed: (readonly ImageInstance[])[] = [];
  const free = async (instances: readonly ImageInstance[]) => void freed.push(instances);
  return { queue: new ReleaseQueue({ evict: async () => {}, free, clock, log, ...more }), clock, log, freed };
}

it("releases a group when the kernel has forgotten all of it, and then no timer is left", async () => {
  const { queue, clock, freed } = start({});
  const [kept, gone] = [instance(1), instance(0)];
  queue.add([gone, kept]);
  const other = [instance(0)];
  queue.add(other);
  await clock.advance(10_000);
  expect(freed).toEqual([other]);
  restoreOutstanding(kept.shared.nlookup, 0);
  await clock.advance(100);
  expect([freed.length, clock.waiting]).toEqual([2, 0]);
});

it("goes on after an image that cannot be given up, and says so", async () => {
  const freed: unknown[] = [];
  const [first, second] = [[instance(0)], [instance(0)]];
  const { queue, clock, log } = start({
    free: async (instances) => {
      if (instances === first) throw new Error("no way to close it");
      freed.push(instances);
    },
  });
  queue.add(first);
  queue.add(second);
  await clock.advance(200);
  expect(freed).toEqual([second]);
  expect(log.lines).toEqual(["error cannot give an image up: no way to close it"]);
  expect(clock.waiting).toBe(0);
});

it("says so when the kernel cannot be asked to forget an image, and asks again", async () => {
  const { queue, clock, log } = start({
    evict: async () => {
      throw new Error("no way to list it");
    },
  });
  queue.add([instance(1)]);
  await clock.advance(4_000);
  queue.close();
  const line = "error cannot have the kernel forget an image: no way to list it";
  expect([log.lines, clock.waiting]).toEqual([[line, line], 0]);
});

it("does not ask while the kernel still acts upon the last time", async () => {
  let asked = 0;
  const { queue, clock } = start({
    evict: () => {
      asked++;
      return new Promise(() => {});
    },
  });
  queue.add([instance(1)]);
  await clock.advance(60_000);
  queue.close();
  expect(asked).toBe(1);
});
