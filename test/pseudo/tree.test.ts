import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rootOf, walk } from "../../src/fs/walk.ts";
import type { TreeChange } from "../../src/pseudo/change.ts";
import { PseudoFileSystem } from "../../src/pseudo/pseudo-file-system.ts";
import { namesOf, PseudoTree, mountPath } from "../../src/pseudo/pseudo-tree.ts";
import { type Entry, type FileSystem, newAttr, newEntry, ROOT_NODE } from "../../src/vfs/file-system.ts";
import { nodeIn } from "../../src/vfs/node-id.ts";
import { serveFixture } from "../support/image.ts";

const NOTHING: TreeChange = { rootSlot: undefined, placed: [], entries: [], remaps: [], freed: [] };
const traits = { hasXattrs: true, hasAcls: true };
const ROOT_NID = 36;

/** An image with nothing in it but its root. */
const empty = {
  traits,
  attr: (node: number, into: ReturnType<typeof newAttr>) => {
    Object.assign(into, newAttr(), { ino: node === ROOT_NODE ? ROOT_NID : node, mode: 0o40755, nlink: 2 });
    return 0;
  },
  lookup: () => 0,
  entry: () => 0,
  nextEntry: () => 0,
} as unknown as FileSystem;

/** A tree that a test mounts in, and the file system that follows it. */
class Tried {
  readonly tree = new PseudoTree();
  readonly fs = new PseudoFileSystem(traits, 7);
  private readonly slots = new Map<string, number>();
  private next = 1;

  mount(path: string): void {
    const names = namesOf(path) ?? [];
    const slot = this.next++;
    const root = { rootNode: nodeIn(slot, ROOT_NODE), rootIno: nodeIn(slot, ROOT_NID) };
    const { parent, entries } = this.tree.plan(names, { node: root.rootNode, ino: root.rootIno });
    const placed = [{ slot, serial: slot, rootNid: ROOT_NID, parent, ...root }];
    this.fs.apply({ ...NOTHING, placed, entries }, () => empty);
    this.slots.set(path, slot);
  }

  unmount(path: string): void {
    this.fs.apply({ ...NOTHING, entries: this.tree.remove(namesOf(path) ?? []) }, () => empty);
    this.fs.apply({ ...NOTHING, freed: [this.slots.get(path) ?? 0] }, () => empty);
  }

  /** Names of a directory, in the order of the listing; `between` happens after the first. */
  list(node: number, between = () => {}): string[] {
    const entry = newEntry();
    const names: string[] = [];
    for (
      let more = this.fs.entry(node, 0, entry);
      more === 1;
      more = this.fs.entry(node, entry.next, entry)
    ) {
      names.push(Buffer.from(entry.bytes.subarray(entry.nameAt, entry.nameAt + entry.nameLength)).toString());
      const attr = newAttr();
      if (this.fs.attr(entry.node, attr) === 0) expect(attr.ino).toBe(entry.ino);
      between();
    }
    return names;
  }

  child(node: number, name: string): number {
    const bytes = Buffer.from(name);
    return this.fs.lookup(node, bytes, 0, bytes.length);
  }

  /** Paths of all images, found by walking. */
  images(node = ROOT_NODE, path = ""): string[] {
    return this.list(node)
      .filter((name) => name !== "." && name !== "..")
      .flatMap((name) => {
        const child = this.child(node, name);
        expect(child).toBeGreaterThan(0);
        const below = this.images(child, `${path}/${name}`);
        return below.length === 0 ? [`${path}/${name}`] : below;
      });
  }
}

/** A genuine image at /a, and at /b/c; and the nodes of some directories. */
function twoImages(): { fs: PseudoFileSystem; directories: readonly number[] } {
  const tree = new PseudoTree();
  const fs = new PseudoFileSystem(traits, 7);
  for (const [i, path] of ["/a", "/b/c"].entries()) {
    const { fs: image, opened } = serveFixture("01-basic");
    const { rootNid } = opened.handle;
    const slot = i + 1;
    const root = { rootNode: nodeIn(slot, ROOT_NODE), rootIno: nodeIn(slot, rootNid) };
    const { parent, entries } = tree.plan(namesOf(path) ?? [], { node: root.rootNode, ino: root.rootIno });
    fs.apply(
      { ...NOTHING, placed: [{ slot, serial: slot, rootNid, parent, ...root }], entries },
      () => image,
    );
  }
  const child = (node: number, name: string) => fs.lookup(node, Buffer.from(name), 0, name.length);
  const [a, b] = [child(ROOT_NODE, "a"), child(ROOT_NODE, "b")];
  return { fs, directories: [ROOT_NODE, a, b, child(b, "c"), child(a, "etc"), child(child(b, "c"), "dev")] };
}

describe("virtual directories", () => {
  const step = fc.tuple(
    fc.boolean(),
    fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 }),
  );

  it("have exactly what is mounted, after any mounts and unmounts", () => {
    fc.assert(
      // biome-ignore lint/complexity/noExcessiveCognitiveComplexity: a model of the tree, step by step
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const tried = new Tried();
        const mounted = new Set<string>();
        for (const [isMount, names] of steps) {
          const path = mountPath(names);
          if (!isMount) {
            if (mounted.delete(path)) tried.unmount(path);
            continue;
          }
          const all = [...mounted];
          const obstacle = all.includes(path)
            ? "taken"
            : all.some((other) => path.startsWith(`${other}/`))
              ? "above"
              : all.some((other) => other.startsWith(`${path}/`))
                ? "below"
                : undefined;
          expect(tried.tree.obstacleAt(names)).toBe(obstacle);
          if (obstacle !== undefined) continue;
          tried.mount(path);
          mounted.add(path);
        }
        expect(tried.images().sort()).toEqual([...mounted].sort());
        // A worker that joins later sees the same.
        const entries = tried.tree.all();
        const joined = new PseudoFileSystem(traits, 7);
        joined.apply({ ...NOTHING, entries }, () => empty);
        const names = new Set([...mounted].map((path) => path.split("/")[1]));
        for (const name of ["a", "b", "c"])
          expect(joined.lookup(ROOT_NODE, Buffer.from(name), 0, 1) > 0).toBe(names.has(name));
      }),
    );
  });

  it("are listed on where a listing was, whatever came and went meanwhile", () => {
    const tried = new Tried();
    for (const name of ["a", "b", "c", "d"]) tried.mount(`/${name}`);
    let step = 0;
    const seen = tried.list(ROOT_NODE, () => {
      step++;
      if (step === 3) tried.unmount("/a"); // it was listed just now
      if (step === 4) tried.unmount("/c");
      if (step === 4) tried.mount("/e");
    });
    expect(seen).toEqual([".", "..", "a", "b", "d", "e"]);
  });

  it("and images can be listed by any number of cursors at once, each of which has its own place", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 200 }), (picks) => {
        const { fs, directories } = twoImages();
        const step = (entry: Entry, node: number) =>
          (entry.next === 0 ? fs.entry(node, 0, entry) : fs.nextEntry(entry)) === 1;
        const nameOf = ({ bytes, nameAt, nameLength, node }: Entry) =>
          `${Buffer.from(bytes.subarray(nameAt, nameAt + nameLength))} ${node}`;
        // Two cursors a directory; what one alone would see is wanted of both.
        const cursors = [...directories, ...directories].map((node) => ({
          node,
          entry: newEntry(),
          seen: [] as string[],
        }));
        for (const pick of picks) {
          const cursor = cursors[pick % cursors.length];
          if (step(cursor.entry, cursor.node)) cursor.seen.push(nameOf(cursor.entry));
          else cursor.entry = newEntry(); // and once more
        }
        for (const { node, seen } of cursors) {
          const alone: string[] = [];
          const entry = newEntry();
          while (step(entry, node)) alone.push(nameOf(entry));
          expect(alone.length).toBeGreaterThan(2);
          expect(seen).toEqual(seen.map((_, i) => alone[i % alone.length]));
        }
      }),
    );
  });

  it("are walked into, images and all", () => {
    const { fs } = twoImages();
    const below = [...walk(serveFixture("01-basic").fs, rootOf(serveFixture("01-basic").fs))]
      .map(({ path }) => Buffer.from(path).toString())
      .map((path) => (path === "/" ? "" : path));
    const want = ["/", ...below.map((path) => `/a${path}`), "/b", ...below.map((path) => `/b/c${path}`)];
    expect([...walk(fs, rootOf(fs))].map(({ path }) => Buffer.from(path).toString())).toEqual(want);
  });

  it("lead up and down, and say when they are gone", () => {
    const tried = new Tried();
    tried.mount("/x/y/z");
    const x = tried.child(ROOT_NODE, "x");
    const y = tried.child(x, "y");
    const z = tried.child(y, "z");
    expect([
      tried.child(y, ".."),
      tried.child(x, ".."),
      tried.child(ROOT_NODE, ".."),
      tried.child(z, ".."),
    ]).toEqual([x, ROOT_NODE, ROOT_NODE, y]);
    expect([tried.child(x, "."), tried.child(x, "none"), tried.child(x, "yy")]).toEqual([x, 0, 0]);
    tried.unmount("/x/y/z");
    expect(tried.child(ROOT_NODE, "x")).toBe(0);
    // As of a directory that was removed under somebody; an image that was given up is nobody's.
    const attr = newAttr();
    expect([tried.child(y, "z"), tried.child(y, "."), tried.fs.attr(y, attr), attr.nlink]).toEqual([
      -2,
      y,
      0,
      0,
    ]);
    expect(tried.fs.entry(y, 0, newEntry())).toBe(-2);
    expect([tried.fs.attr(z, attr), tried.child(z, "."), tried.child(z, "x")]).toEqual([-116, -116, -116]);
    expect(tried.fs.read(ROOT_NODE, 0, 1, new Uint8Array(1), 0)).toBe(-21);
    expect(tried.fs.readlink(ROOT_NODE, new Uint8Array(1), 0)).toBe(-22);
  });
});

it.each([
  ["/", []],
  ["/a//b/", ["a", "b"]],
  ["/ä/…", ["ä", "…"]],
  ["", undefined],
  ["a", undefined],
  ["/a/..", undefined],
  ["/./a", undefined],
  ["/a\0", undefined],
  [`/${"ä".repeat(128)}`, undefined],
  [`/${"ä".repeat(127)}`, ["ä".repeat(127)]],
])("a mountpoint is an absolute path of names: %j", (path, names) => expect(namesOf(path)).toEqual(names));
