import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { scratchDir } from "../support/image.ts";
import { END, entry, join as joined, pax } from "../tar/emit.ts";
import { type Made, tarOf } from "./emit.ts";
import { build, built, builtOf, dir, file } from "./support.ts";

/** As the emitter takes it: a byte a character. */
const utf8 = (name: string): string => Buffer.from(name).toString("latin1");

/**
 * What has broken other readers of tars, by the number under which it became known. An image is no place that can be
 * escaped from; but it must not show what the archive does not say, and never take another entry's place.
 */
describe("what broke others is only a name here", () => {
  const link = (name: string, to: string): Made => ({ name, type: "1", link: to });
  const symlink = (name: string, to: string): Made => ({ name, type: "2", link: to });
  const cases: [name: string, entries: Made[], want: Record<string, string>][] = [
    [
      "CVE-2007-4559, python: `..` in a name",
      [file("../../../etc/passwd"), file("a/../../x")],
      { "/": "0040755", "/etc": "0040755", "/etc/passwd": "0100644", "/x": "0100644" },
    ],
    [
      "CVE-2021-32804, node-tar: several roots",
      [file("////etc/x"), file("/./..//y")],
      { "/": "0040755", "/etc": "0040755", "/etc/x": "0100644", "/y": "0100644" },
    ],
    [
      "CVE-2021-32803, node-tar: a directory that becomes a symlink, and a file through it",
      [dir("d/"), symlink("d", "/etc"), file("d/x")],
      { "/": "0040755", "/d": "0120777 /etc", "/etc": "0040755", "/etc/x": "0100644" },
    ],
    [
      "CVE-2021-37701, -37712, node-tar: backslashes, and names that fold to one another",
      [dir("a\\b/"), symlink("A\\B", "/etc"), file("a\\b/x"), file(utf8("e\u0301")), file(utf8("\u00e9"))],
      {
        ...{ "/": "0040755", "/A\\B": "0120777 /etc", "/a\\b": "0040755", "/a\\b/x": "0100644" },
        ...{ "/e\u0301": "0100644", "/\u00e9": "0100644" },
      },
    ],
    [
      "CVE-2021-37713, node-tar: a drive, and a path relative to it",
      [file("C:../x"), file("C:\\x"), file("//?/c:/x")],
      {
        ...{ "/": "0040755", "/?": "0040755", "/?/c:": "0040755", "/?/c:/x": "0100644" },
        ...{ "/C:..": "0040755", "/C:../x": "0100644", "/C:\\x": "0100644" },
      },
    ],
    [
      "CVE-2026-26960, node-tar; CVE-2024-12905, tar-fs: a hard link through symlinks that lead out",
      [
        symlink("a", "b"),
        symlink("b", "../../.."),
        dir("etc/"),
        file("etc/passwd"),
        link("h", "a/etc/passwd"),
      ],
      {
        ...{ "/": "0040755", "/a": "0120777 b", "/b": "0120777 ../../..", "/etc": "0040755" },
        ...{ "/etc/passwd": "0100644 x2", "/h": "0100644 x2" },
      },
    ],
    [
      "CVE-2026-33056, Rust tar: a directory's mode for what a symlink of that name leads to",
      [dir("t/", { mode: 0o700 }), symlink("s", "t"), dir("s/", { mode: 0o777 })],
      { "/": "0040755", "/s": "0040777", "/t": "0040700" },
    ],
  ];
  it.each(cases)("%s", async (_, entries, want) => expect(await built(entries)).toEqual(want));
});

describe("is refused", () => {
  const cases: [name: string, tar: Uint8Array, want: RegExp][] = [
    [
      "CVE-2026-23745, node-tar: a hard link out of the archive",
      tarOf([{ name: "h", type: "1", link: "/etc/passwd" }]),
      /"h": hard link to "\/etc\/passwd", which is not in the archive$/,
    ],
    [
      "erofs-utils 030: a hard link to the root",
      tarOf([{ name: "h", type: "1", link: "/" }]),
      /"h": hard link to "\/", which is a directory$/,
    ],
    [
      "astral-tokio-tar: a bad pax record that others skip, and with it the size",
      joined(pax(`4 x\n${"19 size=000000000\n"}`), entry({ data: "x" }), END),
      /pax record "4 x": no key and = in it$/,
    ],
  ];
  it.each(cases)("%s", async (_, tar, want) => {
    const path = join(scratchDir(), "layer.tar");
    writeFileSync(path, tar);
    await expect(build(path)).rejects.toThrow(want);
  });
});

it("CVE-2025-62518, tokio-tar: an archive in a file whose pax size is not its header's stays in it", async () => {
  const inner = entry({ name: "hidden", data: "hidden" });
  const outer = entry({ name: "outer", size: 0, data: inner });
  const tar = joined(pax({ size: String(inner.length) }), outer, entry({ name: "next" }), END);
  expect(Object.keys(await builtOf(tar))).toEqual(["/", "/next", "/outer"]);
});

/** CVE-2024-28863, node-tar: as deep as a path can be said. The kernel takes 4,095 bytes. */
describe("a path of directories in one another", () => {
  const built = async (depth: number) => {
    const path = join(scratchDir(), "layer.tar");
    writeFileSync(path, joined(pax({ path: "d/".repeat(depth) }), entry({ type: "5" }), END));
    return (await build(path)).bootstrap;
  };
  it("2,047 of them are built", async () => expect(await built(2047)).not.toBe(""));
  it("100,000 are refused", () =>
    expect(built(100_000)).rejects.toThrow(/^.*: a path of 200000 bytes, want at most 4095$/));
});
