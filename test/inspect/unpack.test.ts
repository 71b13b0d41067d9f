import { copyFileSync, mkdirSync, readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BlobSearch } from "../../src/blob/locate.ts";
import { unpackImage } from "../../src/inspect/unpack.ts";
import { sh } from "../support/daemon.ts";
import { type Expected, fixture, fixtureNames, pathOf, placesOf, scratchDir } from "../support/image.ts";
import { requireMkfs } from "../support/tar-image.ts";
import { dumpTree, sorted } from "../support/tree.ts";

/** GNU tar is the judge: what it makes of our tar is what the image says. It needs root for devices and owners. */
const EXTRACT =
  'tar --warning=no-timestamp --xattrs --xattrs-include=\'*\' --same-owner -xpf "$T" -C "$D" 2>&1';
/** Status 1 says that there are differences, and they are printed. */
const COMPARE = 'tar -df "$T" -C "$D" 2>&1 || test $? = 1';
const LIST = 'TZ=UTC tar --quoting-style=literal --full-time -tvf "$T"';
/** The last second of ext4 with 256-byte inodes; a later time becomes this one when it is extracted. */
const LATEST = 15_032_385_535;

async function unpack(bootstrap: string, search: BlobSearch) {
  const dir = scratchDir();
  const tar = join(dir, "out.tar");
  const warnings: string[] = [];
  await unpackImage({ bootstrap, search, output: tar, warn: (text) => warnings.push(text) });
  return { dir, tar, warnings };
}

function extract(dir: string, tar: string): { tree: string; differences: string } {
  const tree = join(dir, "tree");
  mkdirSync(tree);
  expect(sh(EXTRACT, { T: tar, D: tree })).toBe("");
  return { tree, differences: sh(COMPARE, { T: tar, D: tree }) };
}

const typeOf = ({ mode }: Expected): number => Number.parseInt(mode, 8) & 0o170000;
const isDirectory = (e: Expected) => typeOf(e) === 0o040000;
const isSymlink = (e: Expected) => typeOf(e) === 0o120000;
const isSocket = (e: Expected) => typeOf(e) === 0o140000;

/** Without what depends on the file system that the tree lies on; hard links as the names that share an inode. */
function portable(entries: readonly Expected[]) {
  const names = new Map<number, string[]>();
  for (const e of entries)
    names.set(e.ino, [...(names.get(e.ino) ?? []), pathOf(e).toString("latin1")].sort());
  return sorted(entries.filter((e) => !isSocket(e))).map((e) => {
    const { ino, nlink, size, ...rest } = e;
    const isLate = rest.mtime > LATEST;
    return {
      ...rest,
      ...(isLate ? { mtime: LATEST, mtime_nsec: 0 } : {}),
      ...(isSymlink(e) ? { mode: "0120777" } : {}), // Linux gives a symlink no other
      ...(isDirectory(e) ? {} : { size, nlink, names: names.get(ino) }),
    };
  });
}

describe("unpacked and extracted by GNU tar, it is what the kernel shows of the image:", () => {
  const names = fixtureNames.filter((name) => fixture(name).entries.length > 0);
  it.each(names)("%s", async (name) => {
    const { path, devices, entries } = fixture(name);
    const { dir, tar, warnings } = await unpack(path, placesOf(devices));
    const { tree, differences } = extract(dir, tar);
    expect(portable(dumpTree(tree))).toEqual(portable(entries));
    const late = entries.filter((e) => e.mtime > LATEST);
    expect(differences).toBe(late.map((e) => `${e.path?.slice(1)}: Mod time differs\n`).join(""));
    for (const { mtime, path: of } of late) {
      const time = new Date(mtime * 1000).toISOString().slice(0, 19).replace("T", " ");
      expect(sh(LIST, { T: tar }).replaceAll(/ +/g, " ")).toContain(`${time} ${of?.slice(1)}`);
    }
    expect(readdirSync(dir).sort()).toEqual(["out.tar", "tree"]);
    const sockets = entries
      .filter(isSocket)
      .map((e) => `${e.path}: a socket, left out: a tar cannot hold one`);
    expect(warnings).toEqual(sockets);
  });
});

/** What fixtures do not have: made in its working directory. */
const ODD = String.raw`
  umask 022
  printf data > mode0; chmod 0 mode0
  printf x > ids; chown 4294967294:4294967293 ids
  printf x > before; touch -d @-1.5 before
  printf x > half; touch -d @-0.25 half
  printf x > nsec; touch -d @1700000000.123456789 nsec
  printf x > late; touch -d @4294967296.5 late
  mknod minor c 4095 1048575; mknod block b 1 262144; mkfifo pipe; chmod 7777 pipe
  mkdir 'dir=1' empty; chmod 7777 'dir=1'
  long=$(printf 'n%.0s' {1..255}); printf 'long' > "$long"
  mkdir -p "$long.d" 2>/dev/null || mkdir -p deep/$long; printf y > "deep/$long/$long"
  hundred=$(printf 'h%.0s' {1..100}); printf z > "$hundred"; ln -s "$hundred" "s100"; ln -s "1$hundred" "s101"
  printf b > $'bytes-\xff\xfe\n\x01'; ln $'bytes-\xff\xfe\n\x01' $'link-\xff'; ln -s $'to-\xff' $'sym-\xc3'
  printf u > 'ünï'; printf w > 'a b  '; printf q > '-rf'
  setfattr -n user.binary -v 0x00ff0a3d2500 'ünï'; setfattr -n 'user.a=b%3Dc%25d%41' -v 0s 'ünï'
  setfattr -n user.empty 'ünï'; setfattr -n trusted.t -v 0x00 empty; setfattr -n user.big -v 0x$(printf 'ab%.0s' {1..3000}) mode0
  setfattr -n $'user.n\xff\xfe' -v 0x31 mode0
  setcap cap_net_raw+ep ids 2>/dev/null || true
  head -c 1000000 /dev/zero | tr '\0' q > million; ln million deep/million`;

describe("an image of everything odd", () => {
  it("comes back as the tree that it was made of", async () => {
    requireMkfs();
    const dir = scratchDir();
    const source = join(dir, "source");
    mkdirSync(source);
    sh(`cd "$S"; ${ODD}`, { S: source });
    const boot = join(dir, "boot");
    sh('mkfs.erofs --quiet -Eforce-inode-extended "$B" "$S"', { B: boot, S: source });
    const made = await unpack(boot, { dirs: [], files: new Map() });
    const { tree, differences } = extract(made.dir, made.tar);
    const want = portable(dumpTree(source));
    expect(want.length).toBeGreaterThan(25);
    expect(portable(dumpTree(tree))).toEqual(want);
    expect(differences).toBe("");
  });
});

describe("a failure on the way", () => {
  it("names the file and the blob, and leaves nothing behind", async () => {
    const { path, devices } = fixture("23-erofs-blobdev-indexes");
    const dir = scratchDir();
    const blob = join(dir, "blob");
    copyFileSync(devices[0], blob);
    const out = join(dir, "out");
    mkdirSync(out);
    // The one moment in the middle that a test gets to hear of: the image has a socket, and files behind it.
    const warn = () => truncateSync(blob, 0);
    const done = unpackImage({ bootstrap: path, search: placesOf([blob]), output: join(out, "x.tar"), warn });
    await expect(done).rejects.toThrow(new RegExp(`^/.*: ${blob}: ends before byte \\d+: it was truncated$`));
    expect(readdirSync(out)).toEqual([]);
  });

  it("of the output, too", async () => {
    const { path, devices } = fixture("04-large");
    const done = unpackImage({
      bootstrap: path,
      search: placesOf(devices),
      output: "/dev/full",
      warn: () => {},
    });
    await expect(done).rejects.toThrow("output /dev/full: ENOSPC: no space left on device, write");
    const nowhere = join(scratchDir(), "no/where");
    const other = unpackImage({
      bootstrap: path,
      search: placesOf(devices),
      output: nowhere,
      warn: () => {},
    });
    await expect(other).rejects.toThrow(`output ${nowhere}: ENOENT: no such file or directory`);
  });
});
