import { describe, expect, it } from "vitest";
import { hostPlatform, normalizePlatform, parsePlatform, showPlatform } from "../../src/source/platform.ts";
import { rankPlatform } from "../../src/source/platform-rank.ts";

const host = hostPlatform();
function parsed(text: string) {
  const platform = parsePlatform(text);
  if (platform === undefined) throw new Error(`${text}: no platform`);
  return platform;
}

/** What containerd/platforms 1.0.0-rc.5 makes of them. */
describe("a platform", () => {
  const cases: [text: string, normal: string][] = [
    ["linux/amd64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v2", "linux/amd64/v2"],
    ["linux/x86_64", "linux/amd64"],
    ["linux/x86-64", "linux/amd64"],
    ["LINUX/AMD64", "linux/amd64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm64/8", "linux/arm64"],
    ["linux/arm64/v8.0", "linux/arm64"],
    ["linux/arm64/v8.2", "linux/arm64/v8.2"],
    ["linux/arm64/v9.0", "linux/arm64/v9"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/aarch64/v8", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/arm/7", "linux/arm/v7"],
    ["linux/arm/6", "linux/arm/v6"],
    ["linux/armhf", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["linux/i386", "linux/386"],
    ["linux/ppc64le", "linux/ppc64le"],
    ["macos/arm64", "darwin/arm64"],
    ["windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"],
    ["windows(10.0.17763+win32k)/amd64", "windows(10.0.17763+win32k)/amd64"],
    ["linux(+sse4)/amd64", "linux(+sse4)/amd64"],
    ["fpga/gpu", "fpga/gpu"],
    ["aarch64", "linux/arm64"],
    ["armhf", "linux/arm/v7"],
    ["linux", showPlatform({ ...host, os: "linux" })],
    ["windows", showPlatform({ ...host, os: "windows" })],
  ];
  it.each(cases)("%s is %s", (text, normal) => expect(showPlatform(parsed(text))).toBe(normal));

  const none = [
    "",
    "linux/",
    "/amd64",
    "linux/amd64/v2/x",
    "linux/*",
    "linux/amd 64",
    "linux,amd64",
    "plan10",
  ];
  it.each(none)("%s is none", (text) => expect(parsePlatform(text)).toBeUndefined());

  it.each([
    [undefined, undefined],
    [null, undefined],
    [{}, undefined],
    [{ os: "linux", architecture: "" }, undefined],
    [{ architecture: "arm64" }, "linux/arm64"],
    [{ os: null, architecture: "amd64", variant: null, "os.features": null }, "linux/amd64"],
  ])("of a document: %j", (raw, normal) => {
    const platform = normalizePlatform(raw);
    expect(platform && showPlatform(platform)).toBe(normal);
  });
});

/** In the order of containerd's `platforms.Only`; what it has besides is said in the code. */
describe("what fits a platform, the best first", () => {
  const cases: [wanted: string, offered: string, fitting: string][] = [
    ["linux/amd64/v3", "386 amd64 amd64/v4 amd64/v2 amd64/v3", "amd64/v3 amd64/v2 amd64"],
    ["linux/amd64/v2", "amd64/v3", ""],
    ["linux/amd64", "386 amd64/v3 amd64/v2 amd64", "amd64 amd64/v2 amd64/v3"],
    ["linux/amd64/v1", "amd64/v2 amd64", "amd64"],
    ["linux/arm/v7", "arm/v5 arm/v6 arm/v7 arm/v8 arm64", "arm/v7 arm/v6 arm/v5"],
    ["linux/arm/v6", "arm/v7 arm/v5", "arm/v5"],
    ["linux/arm", "arm/v5 arm/v6 arm/v8", "arm/v6 arm/v5 arm/v8"],
    ["linux/armel", "arm/v7 arm/v6", "arm/v6"],
    ["linux/arm64", "arm64/v9 arm64/v8.1 arm/v7 arm64", "arm64 arm64/v8.1 arm64/v9"],
    ["linux/arm64/v8", "arm64/v9 arm64", "arm64"],
    ["linux/arm64/v8.2", "arm64 arm64/v8.1 arm64/v8.2 arm64/v8.3", "arm64/v8.2 arm64/v8.1 arm64"],
    [
      "linux/arm64/v9.2",
      "arm64 arm64/v8.5 arm64/v8.7 arm64/v8.8 arm64/v9 arm64/v9.1",
      "arm64/v9.1 arm64/v9 arm64/v8.7 arm64/v8.5 arm64",
    ],
    ["linux/ppc64le/power9", "ppc64le/power10 ppc64le ppc64le/power9", "ppc64le/power9 ppc64le"],
    ["linux/riscv64", "riscv64/rva22u64 riscv64", "riscv64 riscv64/rva22u64"],
  ];
  const ranked = (offered: readonly string[], wanted: string) =>
    offered
      .map((text) => ({ text, rank: rankPlatform(parsed(text), parsed(wanted)) }))
      .filter(({ rank }) => rank !== undefined)
      .sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0))
      .map(({ text }) => text);
  it.each(cases)("%s of %s", (wanted, offered, fitting) => {
    const all = offered.split(" ").map((text) => `linux/${text}`);
    expect(
      ranked(all, wanted)
        .map((text) => text.slice("linux/".length))
        .join(" "),
    ).toBe(fitting);
  });
  it.each([
    ["windows/amd64", ["windows(10.0.17763)/amd64"]],
    ["windows(10.0.17763)/amd64", ["windows(10.0.17763.1)/amd64", "windows(10.0.17763)/amd64"]],
    ["windows(10.0.1)/amd64", []],
    ["linux/amd64", []],
  ])("versions and features of %s", (wanted, fitting) => {
    const offered = ["windows(10.0.17763.1)/amd64", "windows(10.0.17763)/amd64", "linux(+sse4)/amd64"];
    expect(ranked(offered, wanted)).toEqual(expect.arrayContaining(fitting));
    expect(ranked(offered, wanted).length === 0).toBe(fitting.length === 0);
  });
  it("features that are mandatory are asked for, the most of them first", () => {
    const offered = ["linux/amd64", "linux(+b)/amd64", "linux(+a+b)/amd64", "linux(+c)/amd64"];
    expect(ranked(offered, "linux(+a+b)/amd64")).toEqual([
      "linux(+a+b)/amd64",
      "linux(+b)/amd64",
      "linux/amd64",
    ]);
  });
});
