import { closeSync, openSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { watchDevice } from "../../src/fuse-native/watch.ts";

describe("watchDevice", () => {
  let fd: number;
  beforeEach(() => {
    fd = openSync("/dev/fuse", "r+");
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("resolves once the device is closed, sooner when hurried", async () => {
    const { closed, hurry } = watchDevice(fd);
    hurry();
    closeSync(fd);
    vi.advanceTimersByTime(20);
    await closed;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("keeps no timer once it is stopped, hurried afterwards or not", () => {
    const { hurry, stop } = watchDevice(fd);
    stop();
    expect(vi.getTimerCount()).toBe(0);
    hurry();
    expect(vi.getTimerCount()).toBe(0);
    closeSync(fd);
  });
});
