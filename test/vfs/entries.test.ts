import { describe, expect, it } from "vitest";
import { forEachBelow, nameOf, namesIn } from "../../src/vfs/entries.ts";
import { DT_DIRECTORY, ROOT_NODE } from "../../src/vfs/file-system.ts";
import { fixture, image, list, nodeAt, pathOf, serve, serveFixture } from "../support/image.ts";

const text = (name: Uint8Array): string => Buffer.from(name).toString("latin1");

describe.each(["01-basic", "06-bigdir", "12-merged", "26-erofs-48bit-dotomit"])("%s", (name) => {
  const { fs } = serveFixture(name);

  it("names of a directory are all but . and ..", () =>
    expect(namesIn(fs, ROOT_NODE).map(text)).toEqual(list(fs, ROOT_NODE).map((e) => text(e.name))));

  it("below the root is everything else, each directory before what is in it", () => {
    const paths = new Map([[ROOT_NODE, ""]]);
    const found: string[] = [];
    forEachBelow(fs, ROOT_NODE, (entry, directory) => {
      const path = `${paths.get(directory)}/${text(nameOf(entry))}`;
      found.push(path);
      if (entry.type === DT_DIRECTORY) paths.set(entry.node, path);
      return true;
    });
    const want = fixture(name).entries.map((e) => pathOf(e).toString("latin1"));
    expect(found.sort()).toEqual(want.filter((path) => path !== "/").sort());
  });
});

it("what is corrupt is named, and a directory that is not wanted is not looked into", () => {
  const found: string[] = [];
  // The inode of /bin/busybox has a format that no reader knows.
  const { path, places } = image("01-basic", [0x3180, "2900"]);
  const { fs } = serve(path, places, true);
  const etc = nodeAt(fs, "/etc");
  forEachBelow(fs, ROOT_NODE, (entry) => {
    found.push(`${text(nameOf(entry))}${entry.node === 0 ? " corrupt" : ""}`);
    return entry.node !== etc;
  });
  expect(found).toContain("busybox corrupt");
  expect(found).toContain("etc");
  expect(found).not.toContain("one");
});
