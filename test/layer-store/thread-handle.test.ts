import { expect, it } from "vitest";

const COMPILED = new URL("../../dist/src/layer-store/thread-handle.js", import.meta.url).href;

it("a thread that is told to end gets no more work, also while it is there still", async () => {
  const { StoreThread }: typeof import("../../src/layer-store/thread-handle.ts") = await import(COMPILED);
  const thread = new StoreThread();
  expect(thread.isAlive).toBe(true);
  const ended = thread.end(new Error("given up"));
  expect(thread.isAlive).toBe(false);
  await ended;
});
