import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extract } from "tar-stream";
import { afterAll, describe, expect, it } from "vitest";
import type { TarEntry } from "../../src/tar/entry.ts";
import { contentOf, END, entry as entryBytes, join as joined, octal, readAll, textOf } from "./emit.ts";

/**
 * What GNU tar and Python's tarfile write of a tree must read as the tree itself; and tar-stream, another
 * reader, must agree.
 */
const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-oracle-"));
afterAll(() => rmSync(dir, { recursive: true }));
const tree = join(dir, "tree");
const isRoot = process.getuid?.() === 0;
const sh = (script: string, env: Record<string, string> = {}): Buffer =>
  execFileSync("bash", ["-euo", "pipefail", "-c", script], {
    env: { ...process.env, TREE: tree, DIR: dir, ...env },
    maxBuffer: 1 << 26,
    stdio: ["ignore", "pipe", "inherit"],
  });

sh(`mkdir "$TREE"; cd "$TREE"
  echo hello > file; : > empty; head -c 70000 /dev/urandom > big; ln file link; ln -s file sym; ln -s nowhere/at/all dangling
  mkdir -p dir/sub; chmod 1777 dir; chmod 4751 file; mkfifo fifo
  head -c 512 /dev/urandom > block; head -c 513 /dev/urandom > more
  truncate -s 3M holes; printf a | dd of=holes bs=1 seek=1048576 conv=notrunc status=none
  for i in $(seq 0 40); do printf '%s' "$i" | dd of=many bs=1 seek=$((i * 131072)) conv=notrunc status=none; done
  truncate -s 1M hole
  touch -d @1234567890.123456789 file; touch -d @-86400.75 empty; touch -h -d @0 sym`);
// What not all formats can say is in trees of its own.
const names = `cd "$TREE"; [ ! -e hard ] || exit 0; long=$(printf 'n%.0s' $(seq 1 120)); mkdir -p "$long/$long"; echo x > "$long/$long/$long"
  ln -s "$long/$long/$long" longlink; ln "$long/$long/$long" hard; printf x > $'caf\\xe9\\n'`;
const special = `cd "$TREE"; mknod char c 5 300; mknod block-device b 259 70000; chown 4000000000:70000 big
  setfattr -n user.bytes -v 0x000a3dff file; setfattr -n user.empty file; setfattr -n trusted.x -v y dir`;

/** What the file system says of the path of an entry. */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: what the file system says, a kind of file after the other
function real(entry: TarEntry): Partial<TarEntry> & { target?: string } {
  const path = Buffer.concat([Buffer.from(`${tree}/`), entry.path]);
  const stats = lstatSync(path, { bigint: true });
  const kind = stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "directory"
      : stats.isSymbolicLink()
        ? "symlink"
        : stats.isFIFO()
          ? "fifo"
          : stats.isBlockDevice()
            ? "block"
            : "char";
  const nsec = ((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return {
    kind: kind === "file" && entry.kind === "hardlink" ? "hardlink" : kind,
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: Number((stats.mtimeNs - nsec) / 1_000_000_000n),
    mtimeNsec: Number(nsec),
    size: entry.kind === "file" ? Number(stats.size) : 0,
    // Below 2^32 the kernel's number is in the same form.
    rdev: kind === "char" || kind === "block" ? Number(stats.rdev) : 0,
    ...(kind === "symlink" ? { target: readlinkSync(path, { encoding: "latin1" }) } : {}),
  };
}

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function mustBeTheTree(tar: Uint8Array, precise: boolean, expected: number): TarEntry[] {
  const entries = readAll(tar);
  expect(entries.length).toBe(expected);
  for (const entry of entries) {
    const { target, mtimeNsec, ...want } = real(entry);
    const name = textOf(entry.path);
    expect(entry, name).toMatchObject(precise ? { ...want, mtimeNsec } : { ...want, mtimeNsec: 0 });
    if (target !== undefined) expect(textOf(entry.link)).toBe(target);
    if (entry.kind === "hardlink") {
      const other = lstatSync(Buffer.concat([Buffer.from(`${tree}/`), entry.link]));
      expect(other.ino, name).toBe(lstatSync(Buffer.concat([Buffer.from(`${tree}/`), entry.path])).ino);
    }
    if (entry.kind === "file")
      expect(hash(contentOf(tar, entry)), name).toBe(
        hash(readFileSync(Buffer.concat([Buffer.from(`${tree}/`), entry.path]))),
      );
  }
  return entries;
}
const count = () => sh(`cd "$TREE"; find . -printf x | wc -c`).toString().trim();
const gnu = (flags: string) => sh(`tar ${flags} -C "$TREE" -cf - .`);

describe("GNU tar", () => {
  it.each(["v7", "ustar", "oldgnu", "gnu", "pax"])("--format=%s", (format) => {
    // v7 knows no fifos, and no format but pax and GNU times before 1970.
    const leave =
      format === "v7" ? "--exclude=./fifo --exclude=./empty" : format === "ustar" ? "--exclude=./empty" : "";
    const left = format === "v7" ? 2 : format === "ustar" ? 1 : 0;
    mustBeTheTree(gnu(`--format=${format} ${leave}`), format === "pax", Number(count()) - left);
  });

  it.each([
    "--format=gnu",
    "--format=oldgnu",
    "--sparse-version=0.0 --format=pax",
    "--sparse-version=0.1 --format=pax",
    "--sparse-version=1.0 --format=pax",
  ])("--sparse %s", (flags) => {
    const entries = mustBeTheTree(gnu(`--sparse ${flags}`), flags.includes("pax"), Number(count()));
    expect(
      entries
        .filter(({ sparse }) => sparse !== undefined)
        .map(({ path }) => textOf(path))
        .sort(),
    ).toEqual(["./hole", "./holes", "./many"]);
  });

  it.each(["gnu", "pax"])("long and strange names, --format=%s", (format) => {
    sh(names);
    mustBeTheTree(gnu(`--sparse --format=${format}`), format === "pax", Number(count()));
  });

  it("devices, large ids, attributes", (test) => {
    test.skip(!isRoot, "only root may make device files");
    sh(special);
    const entries = mustBeTheTree(gnu("--format=pax --xattrs --xattrs-include='*'"), true, Number(count()));
    // Of a file of several names, the first that was found has them.
    const attributes = (...names: string[]) =>
      entries
        .find(({ path, xattrs }) => names.includes(textOf(path)) && xattrs.length > 0)
        ?.xattrs.map((x) => [textOf(x.name), textOf(x.value)])
        .sort();
    expect(attributes("./file", "./link")).toEqual([
      ["user.bytes", "\0\n=\xff"],
      ["user.empty", ""],
    ]);
    expect(attributes("./dir/")).toEqual([["trusted.x", "y"]]);
    mustBeTheTree(gnu("--format=gnu"), false, Number(count()));
  });

  it("--incremental", () => {
    const entries = readAll(sh(`tar --listed-incremental="$DIR/snapshot" -C "$TREE" -cf - .`));
    expect(entries.length).toBe(Number(count()));
    expect(entries.filter(({ kind }) => kind === "directory").length).toBeGreaterThan(2);
  });

  it("--label and records of pax for all", () => {
    const entries = readAll(sh(`tar --format=gnu --label=volume -C "$TREE" -cf - dir`));
    expect(entries.map(({ path }) => textOf(path))).toEqual(["dir/", "dir/sub/"]);
    const all = readAll(sh(`tar --format=pax --pax-option='uid=77,globexthdr.name=g' -C "$TREE" -cf - dir`));
    expect(all.map(({ uid }) => uid)).toEqual([77, 77]);
  });

  it("reads star's sparse files as they are read here", () => {
    // There is no star to write one; GNU tar tells the format by the times in it.
    const times = `${octal(0, 12).slice(0, 11)} `.repeat(2);
    const map = [512, 512, 2048, 5].map((n) => octal(n, 12)).join("");
    const patch = [
      [356, map],
      [452, octal(2053, 12)],
      [476, times],
      [508, "tar\0"],
    ] as const;
    const tar = joined(entryBytes({ name: "s", type: "S", data: `${"x".repeat(512)}abcde`, patch }), END);
    const [entry] = readAll(tar);
    expect(textOf(contentOf(tar, entry))).toBe(
      execFileSync("tar", ["-xOf", "-"], { input: tar }).toString("latin1"),
    );
  });
});

describe("Python's tarfile", () => {
  it.each(["USTAR_FORMAT", "GNU_FORMAT", "PAX_FORMAT"])("%s", (format) => {
    const script = `
import os, sys, tarfile
out = tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.${format})
def keep(info):
    info.mtime = int(info.mtime)
    if "${format}" == "USTAR_FORMAT":
        if len(info.name) > 90 or len(info.linkname) > 90 or info.mtime < 0 or info.uid > 2**21: return None
    return info
out.add(os.environ["TREE"], arcname=".", filter=keep)
out.close()`;
    const tar = execFileSync("python3", ["-c", script], {
      env: { ...process.env, TREE: tree },
      maxBuffer: 1 << 26,
    });
    const entries = readAll(tar);
    expect(entries.length).toBeGreaterThan(15);
    for (const entry of entries) {
      const { mtime, mtimeNsec, target, ...want } = real(entry);
      expect(entry, textOf(entry.path)).toMatchObject({ ...want, mtimeNsec: 0 });
      // Python cuts towards zero.
      expect(entry.mtime - (mtime ?? 0)).toBeLessThanOrEqual(1);
    }
  });
});

describe("tar-stream", () => {
  it.each(["ustar", "gnu", "pax"])("agrees about --format=%s", async (format) => {
    const tar = gnu(
      `--format=${format} --exclude=./empty --exclude='./nn*' --exclude='./caf*' --exclude=./hard --exclude=./longlink --exclude=./big`,
    );
    const found: unknown[] = [];
    const reader = extract();
    reader.end(tar);
    for await (const entry of reader) {
      const { name, mode, uid, gid, size, type, linkname } = entry.header;
      const seconds = Math.floor((entry.header.mtime?.getTime() ?? 0) / 1000);
      found.push({ name, mode, uid, gid, size, type, linkname: linkname ?? "", seconds });
      entry.resume();
    }
    const types: Record<string, string> = {
      hardlink: "link",
      char: "character-device",
      block: "block-device",
    };
    const ours = readAll(tar).map((e) => ({
      name: textOf(e.path),
      ...{
        mode: e.mode,
        uid: e.uid,
        gid: e.gid,
        size: e.size,
        type: types[e.kind] ?? e.kind.replace("hardlink", "link"),
      },
      ...{ linkname: textOf(e.link), seconds: e.mtime },
    }));
    expect(ours).toEqual(found);
  });
});
