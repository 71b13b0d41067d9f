import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { newNlookup } from "../../src/fuse/nlookup.ts";
import type { ImageInstance } from "../../src/session/image-instance.ts";
import { ReleaseQueue } from "../../src/session/release-queue.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** An image of which the kernel knows no node, or whose nodes cannot be listed. */
const instance = (isForgotten: boolean) => {
  const nlookup = newNlookup(1);
  if (!isForgotten) new Float64Array(nlookup)[0] = 1;
  return { shared: { nlookup } } as ImageInstance;
};

it("goes on after an image that cannot be given up, and says so", async () => {
  const freed: unknown[] = [];
  const failures: unknown[] = [];
  const [first, second] = [[instance(true)], [instance(true)]];
  const queue = new ReleaseQueue(
    { notify: async () => {} },
    async (instances) => {
      if (instances === first) throw new Error("no way to close it");
      freed.push(instances);
    },
    (error) => failures.push(error),
  );
  queue.add(first);
  queue.add(second);
  await vi.advanceTimersByTimeAsync(200);
  expect([freed, failures]).toEqual([[second], [new Error("no way to close it")]]);
  expect(vi.getTimerCount()).toBe(0);
});

it("says so when the kernel cannot be asked to forget an image, and asks again", async () => {
  const failures: unknown[] = [];
  const free = async () => {};
  const queue = new ReleaseQueue({ notify: async () => {} }, free, (error) => failures.push(error));
  queue.add([instance(false)]);
  await vi.advanceTimersByTimeAsync(4_000);
  queue.close();
  expect(failures).toEqual([expect.any(TypeError), expect.any(TypeError)]);
});
