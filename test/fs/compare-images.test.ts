import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compareImages } from "../../src/fs/compare-images.ts";
import { type OpenedImage, openImage } from "../../src/fs/open-image.ts";
import { rootOf, walk } from "../../src/fs/walk.ts";
import type { FileSystem } from "../../src/vfs/file-system.ts";
import { fixture, placesOf, serve } from "../support/image.ts";
import { versions } from "../support/submounts.ts";

const isDirectory = (mode: number) => (mode & 0o170000) === 0o040000;

/** What a program can tell of each path, and its node. */
function tree(fs: FileSystem): Map<string, { node: number; directory: boolean; what: string }> {
  const out = Buffer.alloc(4 << 20);
  const found = new Map<string, { node: number; directory: boolean; what: string }>();
  for (const { node, path, attr } of walk(fs, rootOf(fs))) {
    const { mode, size } = attr;
    const type = mode & 0o170000;
    const data =
      type === 0o100000 ? fs.read(node, 0, size, out, 0) : type === 0o120000 ? fs.readlink(node, out, 0) : 0;
    const content = out.toString("latin1", 0, Math.max(0, data));
    const names = fs.listxattr(node, out, 0, 65536, true);
    const xattrs = out.toString("latin1", 0, Math.max(0, names));
    const { ino, generation, ...rest } = attr;
    found.set(Buffer.from(path).toString("latin1"), {
      node,
      directory: isDirectory(mode),
      what: JSON.stringify([rest, content, xattrs]),
    });
  }
  return found;
}

/** Holds a comparison against both trees. */
function check(a: { image: OpenedImage; fs: FileSystem }, b: { image: OpenedImage; fs: FileSystem }) {
  const { before, after, changed, touched } = compareImages(a.image, b.image);
  const older = tree(a.fs);
  const newer = tree(b.fs);
  after.forEach((node, i) => {
    if (node !== 0) expect(before[node]).toBe(i);
  });
  expect(before.filter((node) => node !== 0).length).toBe(after.filter((node) => node !== 0).length);
  const names = new Set(
    changed.map(({ directory, name }) => `${directory}/${Buffer.from(name).toString("latin1")}`),
  );
  let kept = 0;
  for (const [path, old] of older) {
    const now = newer.get(path);
    if (after[old.node] !== 0 && now !== undefined && after[old.node] === now.node && !old.directory) {
      kept++;
      expect(now.what).toBe(old.what);
    }
    if (old.directory && after[old.node] !== 0 && now !== undefined)
      expect(touched.includes(old.node)).toBe(now.what !== old.what);
  }
  // Each name in a directory that goes on is told exactly when it leads elsewhere.
  for (const path of new Set([...older.keys(), ...newer.keys()])) {
    if (path === "/") continue;
    const parent = path.slice(0, path.lastIndexOf("/")) || "/";
    const directory = older.get(parent);
    if (
      directory === undefined ||
      after[directory.node] === 0 ||
      newer.get(parent)?.node !== after[directory.node]
    )
      continue;
    const [old, now] = [older.get(path), newer.get(path)];
    const isSame = old !== undefined && now !== undefined && after[old.node] === now.node;
    expect([path, names.has(`${directory.node}/${path.slice(path.lastIndexOf("/") + 1)}`)]).toEqual([
      path,
      !isSame,
    ]);
  }
  return { kept, changed: changed.length, touched: touched.length };
}

const opened = (path: string, places: Parameters<typeof openImage>[1]) => ({
  image: openImage(path, places),
  fs: serve(path, places).fs,
});

describe("an image in the place of another", async () => {
  const { path, devices } = fixture("12-merged");
  const dir = path.slice(0, path.lastIndexOf("/"));
  const tarOf = (name: string) => devices.find((device) => device.endsWith(`${name}.tar`)) ?? "";
  const images = {
    merged: opened(path, placesOf(devices)),
    l1: opened(join(dir, "l1.boot"), placesOf([tarOf("l1")])),
    l2: opened(join(dir, "l2.boot"), placesOf([tarOf("l2")])),
    l3: opened(join(dir, "l3.boot"), placesOf([tarOf("l3")])),
  };
  const pairs = Object.keys(images).flatMap((a) => Object.keys(images).map((b) => [a, b] as const));

  it.each(pairs)("%s, then %s", (a, b) => {
    const { kept, changed, touched } = check(
      images[a as keyof typeof images],
      images[b as keyof typeof images],
    );
    if (a === b)
      expect({ changed, touched, isKept: kept > 0 }).toEqual({ changed: 0, touched: 0, isKept: true });
  });

  it("keeps what did not change, hard links too, and nothing that did", async () => {
    const of = await versions(
      "mkdir d e; echo 1 >d/a; ln d/a d/b; echo 2 >e/c; ln e/c e/d; ln -s x e/s; echo 3 >f; mkfifo p; head -c 3000000 /dev/zero >z; echo t >e/t",
      "mkdir -p d e; echo 2 >e/c; ln -s y e/s; touch -d 2001-01-01 f; echo new >d/new; chmod 711 d; : >e/.wh.t",
    );
    const places = { dirs: [of.dir], files: new Map<string, string>() };
    const result = check(opened(of.boots[0], places), opened(of.boots[1], places));
    // d/a and d/b, p, z are kept; e/c, e/d (a link less), e/s, e/t, f and d/new are not.
    expect(result).toEqual({ kept: 4, changed: 6, touched: 2 + 1 });
  });
});
