import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { codeOf, messageOf } from "../../src/bytes/errors.ts";
import { oddities } from "../../src/erofs/open.ts";
import { openImage } from "../../src/fs/open-image.ts";
import type { ImageFileSystem } from "../../src/fs/image-file-system.ts";
import { rootOf, walk } from "../../src/fs/walk.ts";
import { newAttr, newEntry, ROOT_NODE } from "../../src/vfs/file-system.ts";
import { nextName } from "../../src/vfs/entries.ts";
import { build, file, merge } from "../mkfs/support.ts";
import { type Made, tarOf } from "../mkfs/emit.ts";
import { emptyDir, mountErofs, run, sh, workDir } from "../support/daemon.ts";
import { placesOf, serve, serveOpened } from "../support/image.ts";
import { KERNEL_DRIVERS, NO_KERNEL_DRIVER } from "../support/kernel.ts";

const BLOCK = 512;
const text = (length: number): string =>
  Array.from({ length }, (_, i) => String.fromCharCode(97 + (i % 26))).join("");
const symlink = (target: string): Made => ({ name: "l", type: "2", pax: { linkpath: target } });

/** A bootstrap whose bytes can be changed, grown by whole pages. */
class Crafted {
  v: DataView;
  bytes: Buffer;

  constructor(path: string) {
    this.bytes = readFileSync(path);
    this.v = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  /** The first inode of a type. */
  inode(type: number): number {
    for (let at = this.v.getUint32(1064, true) * BLOCK + 4096; at < this.bytes.length; at += 32)
      if (
        (this.v.getUint16(at + 4, true) & 0o170000) === type &&
        [1, 5, 9].includes(this.v.getUint16(at, true))
      )
        return at;
    throw new Error("no such inode");
  }

  /** Has an inode's data in blocks at the end. */
  setData(at: number, data: Uint8Array): void {
    this.v.setUint16(at, 1, true);
    this.v.setBigUint64(at + 8, BigInt(data.length), true);
    this.v.setUint32(at + 16, this.bytes.length / BLOCK, true);
    this.bytes = Buffer.concat([this.bytes, data, Buffer.alloc(4096 - (data.length % 4096))]);
  }
}

/** What nydus-image makes of a symlink with an inline tail: all of the target behind the inode, and into its blocks. */
function asNydus(image: Crafted, target: string): void {
  const at = image.inode(0o120000);
  const { bytes, v } = image;
  const blocks = v.getUint32(at + 16, true) * BLOCK;
  bytes.fill(0, blocks, blocks + Math.floor(target.length / BLOCK) * BLOCK);
  const own = Math.ceil((at + 64 + (target.length % BLOCK)) / 32) * 32;
  const later = Buffer.from(bytes.subarray(own, Math.ceil((at + 1) / BLOCK) * BLOCK));
  bytes.write(target, at + 64, "latin1");
  later.copy(bytes, own); // the inodes that share its block are written later
}

/** Gives the root these names, in blocks of their own. */
function list(image: Crafted, rename: (name: string) => string): void {
  const at = image.inode(0o040000);
  const size = Number(image.v.getBigUint64(at + 8, true));
  const block = Buffer.from(image.bytes.subarray(at + 64, at + 64 + size)); // small enough to be inline
  const count = block.readUInt16LE(8) / 12;
  const entries = Array.from({ length: count }, (_, i) => {
    const end = i + 1 < count ? block.readUInt16LE(i * 12 + 20) : size;
    const name = rename(block.toString("latin1", block.readUInt16LE(i * 12 + 8), end));
    return { head: block.subarray(i * 12, i * 12 + 12), name };
  });
  let nameAt = count * 12;
  for (const { head, name } of entries) {
    head.writeUInt16LE(nameAt, 8);
    nameAt += name.length;
  }
  image.setData(
    at,
    Buffer.concat([...entries.map((e) => e.head), ...entries.map((e) => Buffer.from(e.name, "latin1"))]),
  );
}

interface Odd {
  readonly name: string;
  readonly link?: string;
  readonly craft: (image: Crafted) => void;
  /** What is said of it, the image's path and the place left out. */
  readonly want: string;
}

const LONG = "b".repeat(300);
const NUL = "symlink target has a NUL";
const cases: Odd[] = [
  ...[513, 600, 700, 1100, 4000].map((length) => ({
    ...{ name: `a symlink of ${length} bytes as nydus-image writes it`, link: text(length), want: NUL },
    craft: (image: Crafted) => asNydus(image, text(length)),
  })),
  ...[4096, 5000, 65_535].map((length) => ({
    ...{ name: `a symlink of ${length} bytes`, want: `symlink is ${length} bytes, want 1…4095` },
    craft: (image: Crafted) => image.setData(image.inode(0o120000), Buffer.from(text(length))),
  })),
  {
    name: "a symlink of no bytes",
    craft: (image) => image.v.setUint32(image.inode(0o120000) + 8, 0, true),
    want: "symlink is 0 bytes, want 1…4095",
  },
  {
    name: "a symlink that begins with a NUL",
    craft: (image) => image.v.setUint8(image.inode(0o120000) + 64, 0),
    want: NUL,
  },
  {
    name: "a name of 300 bytes",
    craft: (image) => list(image, (name) => (name === "b" ? LONG : name)),
    want: "name is 300 bytes, want 1…255",
  },
];

/** What there is to see: size and target of each name, or the error; and how listing ends. */
const NAMES = ["a", "b", LONG, "l", "z"];

function byKernel(root: string): Record<string, unknown> {
  const tried = (of: () => unknown) => {
    try {
      return of();
    } catch (error) {
      return codeOf(error) || messageOf(error);
    }
  };
  const one = (name: string) =>
    tried(() => {
      const stats = lstatSync(join(root, name));
      return [stats.size, stats.isSymbolicLink() ? readlinkSync(join(root, name)) : ""];
    });
  return {
    ...Object.fromEntries(NAMES.map((name) => [name, one(name)])),
    names: tried(() => readdirSync(root).sort()),
  };
}

function byReader(fs: ImageFileSystem): Record<string, unknown> {
  const CODES: Record<number, string> = {
    0: "ENOENT",
    [-36]: "ENAMETOOLONG",
    [-117]: "Unknown system error -117",
  };
  const one = (name: string) => {
    const bytes = Buffer.from(name);
    const node = fs.lookup(ROOT_NODE, bytes, 0, bytes.length);
    if (node <= 0) return CODES[node];
    const attr = newAttr();
    fs.attr(node, attr);
    const out = new Uint8Array(5000).fill(0x21);
    const length = fs.readlink(node, out, 0);
    return [attr.size, length < 0 ? "" : Buffer.from(out.subarray(0, length)).toString()];
  };
  const names: string[] = [];
  const entry = newEntry();
  let more = nextName(fs, ROOT_NODE, entry);
  for (; more === 1; more = nextName(fs, ROOT_NODE, entry))
    names.push(Buffer.from(entry.bytes.subarray(entry.nameAt, entry.nameAt + entry.nameLength)).toString());
  return {
    ...Object.fromEntries(NAMES.map((name) => [name, one(name)])),
    names: more < 0 ? CODES[more] : names,
  };
}

describe("what breaks the format, and is shown as the kernel shows it", () => {
  it.each(cases)("$name", async ({ link = "target", craft, want }) => {
    const dir = workDir();
    const tar = join(dir, "layer.tar");
    writeFileSync(tar, tarOf([file("a"), file("b"), symlink(link), file("z")]));
    const path = join(dir, "image.boot");
    await build(tar, { bootstrap: path, blobId: "layer.tar" });
    const image = new Crafted(path);
    craft(image);
    writeFileSync(path, image.bytes);

    const said = new RegExp(`^${path} @0x[0-9a-f]+: ${want}$`);
    expect(() => openImage(path, placesOf([tar]), { strict: true })).toThrow(said);
    expect(() => merge([path])).toThrow(said);
    for (const lenient of [false, true]) {
      const opened = openImage(path, placesOf([tar]), { lenient });
      const { odd, corrupt } = opened.report;
      expect({ odd, corrupt }).toEqual({ odd: 1, corrupt: 0 });
      expect(oddities(opened.report)).toMatch(new RegExp(`${want}: shown as Linux shows it$`));
      const shown = byReader(serveOpened(opened).fs);
      if (NO_KERNEL_DRIVER !== undefined) continue;
      const root = join(dir, lenient ? "lenient" : "usual");
      sh('mkdir "$D"', { D: root });
      mountErofs(path, [tar], root);
      expect(shown).toEqual(byKernel(root));
    }
  });

  const drivers = [["--driver", "fuse"], ...KERNEL_DRIVERS.map((driver) => ["--driver", driver])];
  /** An image of two files, whose bytes are changed, at a mountpoint. */
  async function mounted(driver: readonly string[], craft: (image: Crafted) => void, blobId = "layer.tar") {
    const dir = workDir();
    const tar = join(dir, blobId);
    writeFileSync(tar, tarOf([file("a"), file("z")]));
    const path = join(dir, "image.boot");
    await build(tar, { bootstrap: path, blobId });
    const image = new Crafted(path);
    craft(image);
    writeFileSync(path, image.bytes);
    const mountpoint = emptyDir();
    return { mountpoint, ...run(["mount", ...driver, path, mountpoint, "--blob-dir", dir]) };
  }

  it.each(drivers)("a time beyond 2^53, by %s %s, is shown with all of its bits", async (...driver) => {
    for (const time of [2n ** 53n + 1n, 2n ** 61n + 12_345n, -(2n ** 60n) - 3n]) {
      const { mountpoint, status, stderr } = await mounted(driver, (image) => {
        image.v.setBigInt64(image.inode(0o100000) + 32, time, true);
      });
      expect(status, stderr).toBe(0);
      expect(stderr.match(/: mtime is \S+, want within 2\^53 of 0: shown as Linux shows it/g)).toHaveLength(
        1,
      );
      expect(sh('stat -c %Y "$D"/*', { D: mountpoint }).split("\n")).toContain(`${time}`);
      expect(run(["umount", mountpoint]).status).toBe(0);
    }
  });

  it.each(drivers)("a blob id that is any plain file name, by %s %s", async (...driver) => {
    for (const name of ["a blob (1).tar", "-x", ".hidden", "~", "a=b,c;d", "$(id) `id` '\"&|<>*?\\"]) {
      const { mountpoint, status, stderr } = await mounted(driver, () => {}, name);
      expect(status, stderr).toBe(0);
      expect(readFileSync(join(mountpoint, "a"), "latin1")).toBe("a");
      expect(run(["umount", mountpoint]).status).toBe(0);
    }
  });

  it.each(drivers)(
    "a symlink as nydus-image writes it is mounted by %s %s with one warning, and refused with --strict",
    async (...driver) => {
      const dir = workDir();
      const tar = join(dir, "layer.tar");
      writeFileSync(tar, tarOf([file("a"), symlink(text(600)), file("z")]));
      const path = join(dir, "image.boot");
      await build(tar, { bootstrap: path, blobId: "layer.tar" });
      const image = new Crafted(path);
      asNydus(image, text(600));
      writeFileSync(path, image.bytes);
      const words = ["mount", ...driver, path, emptyDir(), "--blob", `1=${tar}`];
      const strict = run([...words, "--strict"]);
      expect(strict).toMatchObject({ status: 1, stdout: "" });
      expect(strict.stderr).toMatch(new RegExp(`^Error: .*${path} @0x[0-9a-f]+: ${NUL}\n$`, "m"));
      const usual = run(words);
      expect(usual.status, usual.stderr).toBe(0);
      expect(usual.stderr.match(/shown as Linux shows it/g)).toHaveLength(1);
      expect(run(["umount", words[4] ?? ""]).status).toBe(0);
    },
  );

  it("a name that is too long ends a walk, or is left out of it", async () => {
    const dir = workDir();
    const tar = join(dir, "layer.tar");
    writeFileSync(tar, tarOf([file("a"), file("b"), symlink("x"), file("z")]));
    const path = join(dir, "image.boot");
    await build(tar, { bootstrap: path, blobId: "layer.tar" });
    const image = new Crafted(path);
    list(image, (name) => (name === "b" ? LONG : name));
    writeFileSync(path, image.bytes);
    const { fs } = serve(path, placesOf([tar]));
    expect(() => [...walk(fs, rootOf(fs))]).toThrow(
      "/: cannot be listed, it has a name of 300 bytes (want at most 255)",
    );
    const paths = [...walk(fs, rootOf(fs), () => true, false)].map((walked) =>
      Buffer.from(walked.path).toString(),
    );
    expect(paths).toEqual(["/", "/a", "/l", "/z"]);
  });
});
