import { describe, expect, it } from "vitest";
import { answerInit } from "../../src/fuse/init.ts";

/** What Linux 6.18 offers, and what is wanted of it: see docs/decisions and linux/include/uapi/linux/fuse.h. */
const OFFERED = 0x73fffffb;
const OFFERED2 = 0x5fd;
const WANTED = 0x41e6e031 & ~(1 << 14);
const EXT = 1 << 30;

function init(minor: number, flags: number, body: number, flags2 = 0, hasAcls = false, major = 7) {
  const input = new DataView(new ArrayBuffer(40 + 64));
  for (const [i, word] of [major, minor, 131072, flags, flags2].entries())
    input.setUint32(40 + 4 * i, word, true);
  const out = new DataView(new ArrayBuffer(64));
  const agreed = { minor: 0, maxRead: 0 };
  const size = answerInit(input, 40 + body, hasAcls, 256, out, 0, agreed);
  const word = (at: number) => out.getUint32(at, true);
  return {
    size,
    major: word(0),
    minor: word(4),
    flags: word(12),
    flags2: word(32),
    pages: out.getUint16(28, true),
    agreed,
  };
}

describe("the INIT reply fits the kernel's minor version", () => {
  const cases = [
    { name: "7.45, all flags", got: init(45, OFFERED, 64, OFFERED2), want: [64, 45, 256] },
    { name: "7.46 speaks down", got: init(46, OFFERED, 64, OFFERED2), want: [64, 45, 256] },
    { name: "7.31, 16-byte body", got: init(31, OFFERED & ~EXT, 16), want: [64, 31, 256] },
    {
      name: "7.27: no MAX_PAGES, 32 pages",
      got: init(27, OFFERED & ~EXT & ~(1 << 22), 16),
      want: [64, 27, 0],
    },
    { name: "7.22: 24 bytes", got: init(22, 0xff, 16), want: [24, 22, 0] },
    { name: "7.4: 8 bytes", got: init(4, 0, 8), want: [8, 4, 0] },
    {
      name: "INIT_EXT with a 16-byte body (nydus#2010)",
      got: init(31, OFFERED, 16, OFFERED2),
      want: [64, 31, 256],
    },
  ];
  it.each(cases)("$name", ({ got, want }) => {
    expect([got.size, got.minor, got.pages]).toEqual(want);
    expect(got.major).toBe(7);
  });

  it("a later major is asked to speak 7", () =>
    expect(init(0, 0, 64, 0, false, 8)).toMatchObject({ size: 8, major: 7 }));
  it("an earlier major is not served", () => expect(init(0, 0, 8, 0, false, 6).size).toBe(-71));
});

describe("flags", () => {
  it("are what is wanted, of what is offered", () => {
    const { flags, flags2, agreed } = init(45, OFFERED, 64, OFFERED2);
    expect(flags.toString(16)).toBe((WANTED & OFFERED).toString(16));
    expect(flags2).toBe(0x188);
    expect(agreed).toEqual({ minor: 45, maxRead: 1 << 20 });
  });
  it("never exceed the offer", () => {
    for (let bit = 0; bit < 31; bit++) expect(init(45, 1 << bit, 64, 0xffffffff).flags & ~(1 << bit)).toBe(0);
  });
  it("have no second word without INIT_EXT, or when the body ends before it", () => {
    expect(init(45, OFFERED & ~EXT, 64, OFFERED2).flags2).toBe(0);
    expect(init(45, OFFERED, 16, OFFERED2).flags2).toBe(0);
  });
  it("ask for ACL checks when the image has ACLs", () =>
    expect(init(45, OFFERED, 64, OFFERED2, true).flags & (1 << 20)).not.toBe(0));
});
