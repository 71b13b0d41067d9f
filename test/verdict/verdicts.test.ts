import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { openImage } from "../../src/fs/open-image.ts";
import { KeptVerdicts } from "../../src/verdict/verdicts.ts";
import { tarOf } from "../mkfs/emit.ts";
import { build, file } from "../mkfs/support.ts";
import { emptyDir, run, sh } from "../support/daemon.ts";
import { placesOf, scratchDir } from "../support/image.ts";

const FILES = 6_000;
let bootstrap = "";
let tar = "";
beforeAll(async () => {
  const dir = scratchDir();
  [tar, bootstrap] = [join(dir, "tar"), join(dir, "boot")];
  const names = Array.from({ length: FILES }, (_, i) => `d${i % 50}/file${i}`);
  writeFileSync(tar, tarOf(names.map((name, i) => file(name, `${i}`))));
  await build(tar, { bootstrap });
});

let dir = "";
let said: string[] = [];
beforeEach(() => {
  dir = join(scratchDir(), "a/verdicts");
  said = [];
});

/** What was found of an image, and whether an earlier verdict said so. */
function open(path = bootstrap, { checker = "x", tar: blob = tar, lenient = false } = {}) {
  const kept = new KeptVerdicts(dir, checker, (message) => said.push(message));
  let isKnown = false;
  const verdicts = {
    keep: kept.keep.bind(kept),
    find: (meta: Parameters<typeof kept.find>[0]) => {
      const found = kept.find(meta);
      isKnown = found !== undefined;
      return found;
    },
  };
  const { handle, report } = openImage(path, placesOf([blob]), { lenient, verdicts });
  const valid = Buffer.from(new Uint8Array(handle.valid)).toString("hex");
  return { isKnown, image: { ...handle, shared: 0, valid, report } };
}

const onlyFile = () => join(dir, readdirSync(dir).join());
const changed = (at: number) => {
  const path = join(scratchDir(), "changed");
  const bytes = readFileSync(bootstrap);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  return path;
};

it("what one check found is what the next one would find, and is not looked for twice", () => {
  const first = open();
  const second = open();
  expect([first.isKnown, second.isKnown, said]).toEqual([false, true, []]);
  expect(first.image.report.inodes).toBeGreaterThan(FILES);
  expect(second.image).toEqual({
    ...first.image,
    report: { ...first.image.report, dataEnds: expect.anything() },
  });
  expect(second.image.report.dataEnds).toEqual(first.image.report.dataEnds);
});

it("another checker finds nothing", () => {
  open();
  expect([open(bootstrap, { checker: "y" }).isKnown, open().isKnown]).toEqual([false, true]);
});

it("an image with another bit is checked, and its fault found", () => {
  open();
  const size = readFileSync(bootstrap).length;
  let refused = 0;
  for (let at = 1024; at < size; at += Math.floor(size / 50)) {
    const path = changed(at);
    try {
      expect(open(path).isKnown).toBe(false);
    } catch (error) {
      expect((error as Error).message).toContain(path);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(10);
});

it("a blob that has become shorter is found", () => {
  open();
  const short = join(scratchDir(), "short");
  writeFileSync(short, readFileSync(tar).subarray(0, -4096));
  expect(() => open(bootstrap, { tar: short })).toThrow(/too short|data ends at byte/);
  expect(open().isKnown).toBe(true);
});

it.each([0, 1, 3, 4, 40, 200])("a note that ends after %d bytes is none", (length) => {
  const want = open().image;
  truncateSync(onlyFile(), length);
  const { isKnown, image } = open();
  expect([isKnown, image.valid]).toEqual([false, want.valid]);
  expect(open().isKnown).toBe(true);
});

it("a note with another byte is none", () => {
  open();
  const bytes = readFileSync(onlyFile());
  for (const at of [0, 5, 60, bytes.length - 200, bytes.length - 1]) {
    const other = Buffer.from(bytes);
    other[at] = (other[at] ?? 0) ^ 4;
    writeFileSync(onlyFile(), other);
    expect([at, open().isKnown]).toEqual([at, false]);
  }
});

it("of broken images nothing is kept", () => {
  // `i_mode` of some inode: one file less, which answers EUCLEAN.
  const size = readFileSync(bootstrap).length;
  for (let at = Math.floor(size / 2); ; at += 2) {
    const path = changed(at);
    const { image, isKnown } = open(path, { lenient: true });
    expect(isKnown).toBe(false);
    if (image.report.corrupt === 0) continue;
    expect(open(path, { lenient: true }).isKnown).toBe(false);
    break;
  }
});

it.each([
  ["is another user's", (path: string) => chownSync(path, 65534, 65534)],
  ["may be written to by others", (path: string) => chmodSync(path, 0o777)],
  ["lies where others may write", (path: string) => chmodSync(join(path, ".."), 0o777)],
])("a directory that %s is not believed, and nothing is written to it", (_, spoil) => {
  open();
  spoil(dir);
  const before = readdirSync(dir);
  expect([open().isKnown, open(bootstrap, { checker: "z" }).isKnown]).toEqual([false, false]);
  expect(readdirSync(dir)).toEqual(before);
  expect(said.length).toBeGreaterThan(0);
});

it("keeps so many and no more, and nothing goes that is not its own", () => {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, "README"), "mine");
  for (let i = 0; i < 70; i++) {
    open(bootstrap, { checker: `${i}` });
    expect(open(bootstrap, { checker: "0" }).isKnown).toBe(true); // what is used stays
  }
  expect(readdirSync(dir)).toHaveLength(65);
  expect([open(bootstrap, { checker: "69" }).isKnown, open(bootstrap, { checker: "1" }).isKnown]).toEqual([
    true,
    false,
  ]);
});

it.each(["fuse", "erofs"])("a mount by %s notes it, and the next shows the same tree", (driver) => {
  const home = scratchDir();
  const seen = [0, 1].map(() => {
    const mountpoint = emptyDir();
    const words = ["mount", "--driver", driver, bootstrap, mountpoint, "--blob", `1=${tar}`];
    const { status, stderr } = run(words, { XDG_CACHE_HOME: home });
    expect([status, stderr]).toEqual([0, expect.any(String)]);
    const tree = sh('cd "$M"; find . | sort | xargs stat -c "%n %s %i" | sha256sum', { M: mountpoint });
    expect(run(["umount", mountpoint]).status).toBe(0);
    return [tree, readdirSync(join(home, "nydusd-ts/verdicts")).length];
  });
  expect(seen).toEqual([seen[0], seen[0]]);
});
