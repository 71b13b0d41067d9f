import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AddressSpace, addressSpace, type Device, deviceAt } from "../../src/erofs/device.ts";

const BLOCK = 512;
const device = (unifiedAt: number, blocks: number): Device => ({
  id: "",
  unifiedAt: unifiedAt * BLOCK,
  blocks,
});

/** As the kernel looks: slot by slot (fs/erofs/data.c, erofs_map_dev). */
function slotBySlot(devices: readonly Device[], address: number): number {
  const at = devices.findIndex(
    ({ unifiedAt, blocks }) => unifiedAt > 0 && address >= unifiedAt && address < unifiedAt + blocks * BLOCK,
  );
  return at + 1;
}

describe("the device of an address", () => {
  const slots = fc.array(fc.tuple(fc.nat(40), fc.nat(12)), { maxLength: 12 });

  it("is that which the kernel finds, wherever slots lie, overlap, or have no blocks", () =>
    fc.assert(
      fc.property(slots, (all) => {
        const devices = all.map(([at, blocks]) => device(at, blocks));
        const space = addressSpace(devices, false, BLOCK);
        for (let address = 0; address < 56 * BLOCK; address += BLOCK / 2)
          expect([address, deviceAt(space, 0, address)]).toEqual([address, slotBySlot(devices, address)]);
      }),
    ));

  it("is what an entry says, and in a flat image the image's own", () => {
    const devices = [device(4, 4)];
    expect(deviceAt(addressSpace(devices, false, BLOCK), 1, 4 * BLOCK)).toBe(1);
    expect(deviceAt(addressSpace(devices, true, BLOCK), 0, 4 * BLOCK)).toBe(0);
  });

  it("takes a step more when devices double", () => {
    const steps = [1, 2, 4, 8, 16, 32, 64, 128, 254].map((count) => {
      const space = addressSpace(
        Array.from({ length: count }, (_, i) => device(10 * (i + 1), 5)),
        false,
        BLOCK,
      );
      let looks = 0;
      const starts = new Proxy(space.starts, {
        get: (target, key) => {
          if (typeof key === "string" && /^\d+$/.test(key)) looks++;
          return Reflect.get(target, key, target);
        },
      });
      const counted: AddressSpace = { ...space, starts };
      let most = 0;
      for (let block = 0; block < 10 * count + 20; block++) {
        looks = 0;
        deviceAt(counted, 0, block * BLOCK);
        most = Math.max(most, looks);
      }
      return most;
    });
    expect(steps.every((step, i) => i === 0 || step <= (steps[i - 1] ?? 0) + 1)).toBe(true);
    expect(steps.at(-1)).toBeLessThan(11);
  });
});
