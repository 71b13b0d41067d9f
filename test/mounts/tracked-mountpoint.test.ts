import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { TrackedMountpoint } from "../../src/mounts/tracked-mountpoint.ts";
import { scratchDir } from "../support/image.ts";

const descriptors = (): number => readdirSync("/proc/self/fd").length;

it("a mountpoint is found where it has got to, until it is closed, which gives its descriptor back", () => {
  const dir = scratchDir();
  mkdirSync(join(dir, "a/mnt"), { recursive: true });
  const before = descriptors();
  const tracked = new TrackedMountpoint(join(dir, "a/mnt"));
  renameSync(join(dir, "a"), join(dir, "b"));
  expect(tracked.path).toBe(join(dir, "b/mnt"));
  tracked.close();
  tracked.close();
  expect(tracked.path).toBe(join(dir, "a/mnt"));
  expect(descriptors()).toBe(before);
});

it("a mountpoint whose parent cannot be opened is where it was", () => {
  const tracked = new TrackedMountpoint("/no/such/mnt");
  expect(tracked.path).toBe("/no/such/mnt");
  tracked.close();
});
