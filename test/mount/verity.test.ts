import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openImage } from "../../src/fs/open-image.ts";
import { parseHashWords } from "../../src/verity/hash-words.ts";
import { ask, emptyDir, run, runMount, sh, start } from "../support/daemon.ts";
import { fixture, generator, scratchDir, serveOpened, tree } from "../support/image.ts";
import { startKept } from "../support/kept.ts";
import { metric } from "../support/metrics.ts";
import { tarImage } from "../support/tar-image.ts";

const IMAGE = fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url));
const none = { dirs: [], files: new Map() };

/** A disk with its hash tree, and the line that tells of it. */
function exported(image: string, devices: readonly string[], ...flags: string[]) {
  const disk = join(scratchDir(), "image.disk");
  const blobs = devices.flatMap((path, i) => ["--blob", `${i + 1}=${path}`]);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [IMAGE, "export", "--block", "-B", image, ...blobs, "-O", disk, "--verity", ...flags],
    { encoding: "utf8" },
  );
  expect([status, stderr]).toEqual([0, ""]);
  const line = `${disk}.line`;
  writeFileSync(line, stdout);
  return { disk, line, words: parseHashWords(stdout, line) };
}

/** Two layers' worth of files, each of several reads. */
const made = tarImage(
  "for f in first bad last; do head -c 1500000 /dev/urandom >$f; done; echo text >small; mkdir d; echo more >d/f",
);
const plain = exported(made.boot, [made.tar], "--single-device");
const bytesOf = (name: string) => readFileSync(join(made.source, name));

/** A copy of the disk in which a byte is another one. */
function flipped(where: (disk: Buffer) => number): { disk: string; at: number } {
  const disk = join(scratchDir(), "image.disk");
  const bytes = readFileSync(plain.disk);
  const at = where(bytes);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(disk, bytes);
  return { disk, at };
}

/** A place in the middle of the file `bad`. */
const inBad = (disk: Buffer) => disk.indexOf(bytesOf("bad").subarray(700_000, 700_064)) + 30;

describe("a disk that is held to its hash tree", () => {
  it.each<[name: string, flags: string[], isLine: boolean]>([
    ["01-basic", [], false],
    ["12-merged", [], true],
    ["12-merged", ["--salt", "00aa55", "--verity-superblock"], false],
    ["12-merged", ["--salt", "00aa55"], true],
    ["12-merged", ["--single-device"], false],
    ["14-rafs4k-disk", [], false],
    ["20-erofs-default", [], false],
  ])("shows what is in it: %s %j, all words known: %j", (name, flags, isLine) => {
    const { path, devices, entries } = fixture(name);
    const { disk, words } = exported(path, devices, ...flags);
    const opened = openImage(disk, none, { verity: isLine ? words : { root: words.root } });
    const { fs, losses } = serveOpened(opened);
    expect(tree(fs)).toEqual(entries);
    expect(losses).toEqual([]);
  });

  it("gives no byte that was changed, wherever that is", () => {
    const right = serveOpened(openImage(plain.disk, none));
    const want = JSON.stringify(tree(right.fs));
    const random = generator(17);
    const seen = { refused: 0, failed: 0 };
    const size = readFileSync(plain.disk).length;
    for (let i = 0; i < 60; i++) {
      // A third of them among the metadata at the beginning, a third anywhere, a third in the tree at the end.
      const at = [random(12_288), random(size), size - 1 - random(300_000)][i % 3] ?? 0;
      const { disk } = flipped(() => at);
      let shown: string;
      try {
        shown = JSON.stringify(tree(serveOpened(openImage(disk, none, { verity: plain.words })).fs));
      } catch (error) {
        const isOpen = /^read of node \d+ at \d+ answers -5$/.test(`${(error as Error).message}`);
        // The superblock says how long the data are, before anything is held to a tree.
        if (!isOpen) expect(`${error}`).toMatch(/(data|hash) block \d+ is corrupted|checksum is|magic is/);
        seen[isOpen ? "failed" : "refused"]++;
        continue;
      }
      expect(shown).toBe(want); // nobody's byte
    }
    expect(Math.min(seen.refused, seen.failed)).toBeGreaterThan(2);
  });
});

describe.each(["direct", "fuse-native"])("%s", (transport) => {
  it("a changed block answers EIO, is counted, and is said once with its file; all else is there", async () => {
    const { disk, at } = flipped(inBad);
    const flags = ["--verity", plain.line, "--transport", transport, "--metrics-address", "127.0.0.1:0"];
    const daemon = await start(flags, undefined, ["mount", disk]);
    const pages = `for p in 0 169 170 171 172 300; do
      dd if="$1/bad" bs=4096 skip=$p count=1 iflag=nocache status=none 2>/dev/null | cmp -s - <(dd if="$2/bad" bs=4096 skip=$p count=1 status=none) && printf "$p "; done; echo`;
    const bad = Math.floor((700_000 + 30) / 4096);
    const rest = [0, 169, 170, 171, 172, 300].filter((page) => page !== bad);
    for (let i = 0; i < 2; i++)
      expect(await ask(pages, daemon.mountpoint, made.source)).toBe(`${rest.join(" ")} \n`);
    expect(
      await ask(
        'cd "$1"; cmp first "$2/first"; cmp last "$2/last"; cat small d/f',
        daemon.mountpoint,
        made.source,
      ),
    ).toBe("text\nmore\n");
    expect(await metric(daemon, "tarfs_corrupt_blocks_total")).toBe(1);
    expect(await daemon.stop()).toBe(0);
    const block = Math.floor(at / 512);
    expect(daemon.output().match(/WARN .*corrupted.*/g)).toEqual([
      `WARN ${disk}: data block ${block} is corrupted, byte ${512 * block}: /bad`,
    ]);
  });
});

const shown = (opened: ReturnType<typeof openImage>) => tree(serveOpened(opened).fs);

describe("--verity-tree", () => {
  const disk = join(scratchDir(), "plain.disk");
  const hashes = `${disk}.tree`;
  const line = `${disk}.line`;
  const args = ["export", "--block", "--single-device", "-B", made.boot, "--blob", `1=${made.tar}`];
  const into = (out: string, ...flags: string[]) =>
    spawnSync(process.execPath, [IMAGE, ...args, "-O", out, ...flags], { encoding: "utf8" }).stdout;
  into(disk);
  writeFileSync(line, into(hashes, "--verity-only"));

  it("holds a disk to a tree in another file, also by the next process", async () => {
    const bytes = readFileSync(disk);
    const at = inBad(bytes);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const changed = join(scratchDir(), "changed.disk");
    writeFileSync(changed, bytes);
    const daemon = await startKept(["--bootstrap", changed, "--verity", line, "--verity-tree", hashes]);
    await ask('cmp "$1/first" "$2/first"', daemon.mountpoint, made.source);
    await daemon.crash();
    await expect(ask('cat "$1/bad" >"$1.out"', daemon.mountpoint)).rejects.toThrow("Input/output error");
    await ask('cmp "$1/last" "$2/last"; cat "$1/small"', daemon.mountpoint, made.source);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.output()).toContain(`data block ${Math.floor(at / 512)} is corrupted`);
  });

  it("says what is wrong with the tree", () => {
    const bytes = readFileSync(hashes);
    bytes[bytes.length - 1000] = (bytes[bytes.length - 1000] ?? 0) ^ 1;
    const [wrong, short] = [`${hashes}.wrong`, `${hashes}.short`] as const;
    writeFileSync(wrong, bytes);
    writeFileSync(short, bytes.subarray(0, 4096));
    const words = parseHashWords(readFileSync(line, "utf8"), line);
    const open = (hashFile: string) => openImage(disk, none, { verity: { ...words, hashFile } });
    expect(shown(open(hashes))).toEqual(shown(openImage(disk, none)));
    expect(() => open(short)).toThrow(/plain\.disk\.tree\.short @0x1000: no hash tree of \d+ blocks/);
    expect(() => open(`${hashes}.none`)).toThrow(/hash tree .*plain\.disk\.tree\.none: no such file/);
    expect(() => shown(open(wrong))).toThrow(/hash block \d+ is corrupted|answers -5/);
    const { status, stderr } = run(["mount", disk, emptyDir(), "--verity-tree", hashes]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(/--verity-tree.*--verity/)]);
  });
});

describe("--verity", () => {
  it("holds the next process to it, too, when the one that served is killed and the line is gone", async () => {
    const { disk } = flipped(inBad);
    const line = join(scratchDir(), "line");
    writeFileSync(line, readFileSync(plain.line));
    const daemon = await startKept(["--bootstrap", disk, "--verity", line]);
    rmSync(line);
    await daemon.crash();
    await expect(ask('cat "$1/bad" >"$1.out"', daemon.mountpoint)).rejects.toThrow("Input/output error");
    await ask('cmp "$1/first" "$2/first"', daemon.mountpoint, made.source);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.output()).toContain(" is corrupted, byte ");
  });

  it.each(["", "--single-device"])(
    "in the background, of a disk with or without a device table %s",
    async (flag) => {
      const { disk, words } = exported(made.boot, [made.tar], ...(flag === "" ? [] : [flag]));
      const mountpoint = emptyDir();
      const { status, stdout } = run(["mount", disk, mountpoint, "--verity", words.root]);
      expect([status, stdout]).toEqual([0, expect.stringContaining(" transport=direct ")]);
      await ask('diff -r "$1" "$2"', mountpoint, made.source);
      expect(run(["umount", mountpoint]).status).toBe(0);
    },
  );

  const keys = scratchDir();
  /** Two pairs of keys of each kind. */
  const makeKeys = () =>
    sh(
      `cd "$D"; for i in 1 2; do
        openssl genpkey -quiet -algorithm ed25519 -out ed$i; openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa$i
        openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec$i
      done; for key in ed1 ed2 rsa1 rsa2 ec1 ec2; do openssl pkey -in $key -pubout -out $key.pub; done`,
      { D: keys },
    );

  it("takes a digest from a signed file only when it is signed by that key", async () => {
    makeKeys();
    for (const [kind, sign] of [
      ["ed", "openssl pkeyutl -sign -rawin -inkey"],
      ["rsa", "openssl dgst -sha256 -sign"],
      ["ec", "openssl dgst -sha256 -sign"],
    ]) {
      const line = join(scratchDir(), "line");
      writeFileSync(line, readFileSync(plain.line));
      const how = kind === "ed" ? '-in "$F"' : '"$F"';
      sh(`${sign} "$K" ${how} >"$F.sig"`, { F: line, K: join(keys, `${kind}1`) });
      const flags = (key: string) => [
        "--bootstrap",
        plain.disk,
        "--verity",
        line,
        "--verity-key",
        join(keys, key),
      ];
      const daemon = await start(flags(`${kind}1.pub`));
      expect(await ask('cat "$1/small"', daemon.mountpoint)).toBe("text\n");
      expect(await daemon.stop()).toBe(0);
      const no = `Error: ${line}: ${line}.sig is no signature of it by the key ${join(keys, `${kind}2.pub`)}\n`;
      expect(runMount(flags(`${kind}2.pub`))).toMatchObject({ status: 1, stderr: no, isMounted: false });
      writeFileSync(line, `${readFileSync(line)}\n`);
      expect(runMount(flags(`${kind}1.pub`))).toMatchObject({ status: 1, isMounted: false });
    }
  });

  const boot = fixture("12-merged");
  const notIn = (path: string) => [
    "--bootstrap",
    path,
    ...boot.devices.flatMap((p, i) => ["--blob", `${i + 1}=${p}`]),
  ];
  it.each<[name: string, flags: () => string[], status: number, says: RegExp | string]>([
    [
      "another digest",
      () => ["--bootstrap", plain.disk, "--verity", "0".repeat(64)],
      1,
      / @0x0: hash block 0 is corrupted/,
    ],
    [
      "changed metadata",
      () => ["--bootstrap", flipped(() => 600).disk, "--verity", plain.line],
      1,
      / @0x200: data block 1 is corrupted/,
    ],
    [
      "no tree",
      () => ["--bootstrap", fixture("13-export-disk").path, "--verity", "0".repeat(64)],
      1,
      /no hash tree of \d+ blocks from byte/,
    ],
    [
      "an image whose data are elsewhere",
      () => [...notIn(boot.path), "--verity", "0".repeat(64)],
      1,
      /no hash tree|has its data in 3 other files/,
    ],
    ["no such file", () => ["--bootstrap", plain.disk, "--verity", "/nowhere"], 1, "/nowhere: ENOENT"],
    [
      "no digest in it",
      () => ["--bootstrap", plain.disk, "--verity", fixture("12-merged").path],
      1,
      /no root digest: want 64 hex digits|more than 65536 bytes/,
    ],
    [
      "a key for what is no file",
      () => ["--bootstrap", plain.disk, "--verity", "0".repeat(64), "--verity-key", "k"],
      2,
      "--verity-key is for a file with a signature beside it",
    ],
    [
      "a key that is none",
      () => ["--bootstrap", plain.disk, "--verity", plain.line, "--verity-key", plain.line],
      1,
      /\.sig: ENOENT/,
    ],
    [
      "a key alone",
      () => ["--bootstrap", plain.disk, "--verity-key", "k"],
      2,
      "--verity-key has no meaning without --verity",
    ],
    [
      "no image",
      () => ["--apisock", "s", "--verity", "0".repeat(64)],
      2,
      "--verity has no meaning without --bootstrap",
    ],
  ])("is refused: %s", (_, flags, status, says) => {
    const refused = runMount(flags());
    expect([refused.status, refused.isMounted, refused.processes]).toEqual([status, false, []]);
    expect(refused.stderr).toMatch(says);
  });

  it("is not for the kernel's EROFS, which says why", async () => {
    const why =
      "--verity: the kernel's EROFS checks no digests; dm-verity below it (would, but this kernel has no device mapper|does: open the disk with veritysetup, .*)";
    const daemon = await start(["--verity", plain.line], undefined, ["mount", plain.disk]);
    expect(daemon.output()).toMatch(new RegExp(`INFO driver fuse: ${why}\n`));
    expect(await daemon.stop()).toBe(0);
    const { status, stderr } = run([
      "mount",
      plain.disk,
      emptyDir(),
      "--driver",
      "erofs",
      "--verity",
      plain.line,
    ]);
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(new RegExp(`^Error: --driver erofs cannot be used with ${why}\n`)),
    ]);
  });
});
