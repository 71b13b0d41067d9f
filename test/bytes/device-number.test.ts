import fc from "fast-check";
import { expect, it } from "vitest";
import { deviceMajor, deviceMinor, MAX_MAJOR, MAX_MINOR, makeDevice } from "../../src/bytes/device-number.ts";

it.each([
  { name: "/dev/sda1", major: 8, minor: 1, want: 0x801 },
  { name: "a high minor number", major: 259, minor: 0x12345, want: 0x1231_0345 },
  { name: "the largest", major: MAX_MAJOR, minor: MAX_MINOR, want: 0xffff_ffff },
])("the number of $name is as the kernel has it", ({ major, minor, want }) =>
  expect(makeDevice(major, minor)).toBe(want),
);

it("device numbers come apart as they were put together", () =>
  fc.assert(
    fc.property(fc.nat(MAX_MAJOR), fc.nat(MAX_MINOR), (major, minor) => {
      const device = makeDevice(major, minor);
      expect([deviceMajor(device), deviceMinor(device)]).toEqual([major, minor]);
    }),
  ));
