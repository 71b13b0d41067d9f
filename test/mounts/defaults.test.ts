import { expect, it } from "vitest";
import { MOUNT_OPTIONS } from "../../src/fuse/device.ts";
import { optionString } from "../../src/fuse-native/options.ts";
import { kernelOptions } from "../../src/kernel-erofs/options.ts";
import { IMAGE_FLAGS } from "../../src/mounts/defaults.ts";
import { MOUNT_ATTR } from "../../src/syscalls/mount-api.ts";

it("images are mounted read-only, without setuid, devices and access times by every driver", () => {
  expect(IMAGE_FLAGS).toEqual(["ro", "nosuid", "nodev", "noatime"]);
  expect(MOUNT_OPTIONS).toEqual(expect.arrayContaining([...IMAGE_FLAGS]));
  expect(optionString("image", "nydusd-ts", []).split(",")).toEqual(expect.arrayContaining([...IMAGE_FLAGS]));
  const { RDONLY, NOSUID, NODEV, NOATIME } = MOUNT_ATTR;
  expect(kernelOptions([]).attributes).toBe(RDONLY | NOSUID | NODEV | NOATIME);
});
