import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DiskReader } from "../../src/block/disk-reader.ts";
import { openImageDisk } from "../../src/block/image-disk.ts";
import { FlatDisk } from "../../src/block/flat-disk.ts";
import { withHashTree } from "../../src/block/tree-file.ts";
import { putUnifiedBlock } from "../../src/erofs/device.ts";
import { readVerityHeader, verityHeader } from "../../src/verity/superblock.ts";
import { mountErofs, sh, start, workDir } from "../support/daemon.ts";
import { content, fixture, nodeAt, pathOf, serve, tree } from "../support/image.ts";
import { ABSENT } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { DISKS, smallDisk } from "../support/small-disk.ts";
import { blobsOf, COMMAND, exported, image, none } from "./exported.ts";

const LINE =
  /^dm-verity options: --no-superblock --format=1 -s "" --hash=sha256 --data-block-size=512 --hash-block-size=4096 --data-blocks (\d+) --hash-offset (\d+) ([0-9a-f]{64})\n$/;

describe("export --block", () => {
  it("writes the very bytes that nydus-image writes", () => {
    const { disk, stdout } = exported("12-merged");
    expect(stdout).toBe("");
    expect(readFileSync(disk).equals(readFileSync(fixture("13-export-disk").path))).toBe(true);
    expect(statSync(disk).blocks * 512).toBeLessThan(statSync(disk).size / 4); // between the tars are holes
  });

  it("of a disk is that disk", () => {
    for (const name of ["13-export-disk", "14-rafs4k-disk"])
      expect(readFileSync(exported(name).disk).equals(readFileSync(fixture(name).path))).toBe(true);
  });

  const MADE = [
    "01-basic",
    "04-large",
    "06-bigdir",
    "08-nodata",
    "12-merged",
    "13-export-disk",
    "14-rafs4k-disk",
    "20-erofs-default",
    "23-erofs-blobdev-indexes",
    "24-erofs-tar-index",
  ];
  describe.each(["as a flattened disk", "--single-device"])("%s", (how) => {
    const flags = how.startsWith("--") ? [how] : [];
    it.each(MADE)("shows what the image shows: %s", (name) => {
      const { disk } = exported(name, ...flags);
      expect(image("check", disk).status).toBe(0);
      expect(tree(serve(disk, none).fs)).toEqual(fixture(name).entries);
    });

    describe("the kernel reads it without knowing of its parts", () => {
      needs(ABSENT["erofs-file"]);
      it.each(MADE)("%s", (name) => {
        const { disk } = exported(name, ...flags);
        const dir = workDir();
        mountErofs(disk, [], dir);
        const files = fixture(name).entries.filter(({ sha256 }) => sha256 !== undefined);
        for (const entry of files) {
          const bytes = readFileSync(Buffer.concat([Buffer.from(dir), pathOf(entry)]));
          expect([entry.path, createHash("sha256").update(bytes).digest("hex")]).toEqual([
            entry.path,
            entry.sha256,
          ]);
        }
        expect(files.length).toBeGreaterThan(0);
      });
    });
  });

  it("--single-device of a disk leaves its data where they are, those that are no metadata's neighbours, too", () => {
    const dir = workDir();
    sh(
      'cd "$D"; mkdir t; head -c 6000000 /dev/urandom >t/big; tar -cf x.tar -C t big; mkfs.erofs --quiet own.erofs t',
      { D: dir },
    );
    const [tar, boot, flat, own] = ["x.tar", "x.boot", "flat.disk", "own.erofs"].map((name) =>
      join(dir, name),
    );
    expect(image("create", "-B", boot, "-D", dir, tar).status).toBe(0);
    expect(image("export", "--block", boot, "-D", dir, "-O", flat).status).toBe(0);
    for (const from of [flat, own])
      for (const flags of [[], ["--verity"]]) {
        const disk = join(dir, "one.disk");
        expect(image("export", "--block", "--single-device", from, "-O", disk, ...flags).status).toBe(0);
        const { fs } = serve(disk, none);
        const big = content(fs, nodeAt(fs, "/big"), 6_000_000);
        expect(readFileSync(join(dir, "t/big")).equals(big)).toBe(true);
      }
  });

  it("--single-device says nothing of devices any more", () => {
    const { disk } = exported("12-merged", "--single-device");
    const v = new DataView(readFileSync(disk).buffer);
    expect([
      v.getUint32(1024 + 80, true) & 8,
      v.getUint16(1024 + 86, true),
      v.getUint32(1024 + 8, true),
    ]).toEqual([0, 0, 0]);
  });

  it.each(["2", "id", "the beginning of it"])("--layer writes what its own bootstrap would, by %s", (by) => {
    const dir = workDir();
    const { path, devices } = fixture("12-merged");
    const tar = devices[1] ?? "";
    const id = createHash("sha256").update(readFileSync(tar)).digest("hex");
    const word = by === "2" ? by : id.slice(0, by === "id" ? 64 : 10);
    const [boot, own, layer] = ["own.boot", "own.disk", "layer.disk"].map((name) => join(dir, name));
    expect(image("create", "-B", boot, "-D", dir, tar).status).toBe(0);
    expect(image("export", "--block", boot, "-D", dir, "-O", own, "--verity").status).toBe(0);
    const args = ["export", "--block", path, ...blobsOf(devices), "-O", layer, "--verity", "--layer", word];
    expect(image(...args)).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(layer).equals(readFileSync(own))).toBe(true);
  });

  it("is put beside the tars under the image's name", () => {
    const dir = workDir();
    const { path, devices } = fixture("04-large");
    copyFileSync(path, join(dir, "x.boot"));
    mkdirSync(join(dir, "blobs"));
    expect(
      image("export", "--block", "-B", join(dir, "x.boot"), "-D", join(dir, "blobs"), ...blobsOf(devices))
        .status,
    ).toBe(0);
    expect(readdirSync(join(dir, "blobs"))).toEqual(["x.boot.disk"]);
  });
});

describe("dm-verity", () => {
  /** The words of the printed line, as its readers take them. */
  const words = (line: string): string[] =>
    line
      .replace(/^dm-verity options: /, "")
      .trim()
      .replace('""', "-")
      .split(" ");
  const veritysetup = (disk: string, line: string) => {
    const all = words(line);
    const root = all.pop() ?? "";
    return spawnSync("veritysetup", ["verify", ...all, disk, disk, root], { encoding: "utf8" }).status;
  };

  it.each(["01-basic", "04-large", "12-merged"])(
    "is accepted by veritysetup, spare area and all: %s",
    (name) => {
      const { disk, stdout } = exported(name, "--verity");
      expect(stdout).toMatch(LINE);
      expect(veritysetup(disk, stdout)).toBe(0);
      const [, blocks, offset] = LINE.exec(stdout) ?? [];
      expect(Number(offset)).toBe(Math.ceil((512 * Number(blocks)) / 4096) * 4096);
      const plain = readFileSync(exported(name).disk);
      expect(readFileSync(disk).subarray(0, plain.length).equals(plain)).toBe(true);
      expect(image("verify", disk, words(stdout).at(-1) ?? "").status).toBe(0);
    },
  );

  it("has blocks of 4096 bytes where the image has", () => {
    const { disk, stdout } = exported("14-rafs4k-disk", "--verity");
    expect(stdout).toContain("--data-block-size=4096 ");
    expect(veritysetup(disk, stdout)).toBe(0);
  });

  it("is the same each time, and found by its superblock when it has one", () => {
    const salted = ["--verity", "--verity-superblock", "--salt", "00aa5507"];
    const [first, second] = [exported("12-merged", ...salted), exported("12-merged", ...salted)];
    expect(readFileSync(first.disk).equals(readFileSync(second.disk))).toBe(true);
    expect(veritysetup(first.disk, first.stdout)).toBe(0);
    expect(image("verify", first.disk, words(first.stdout).at(-1) ?? "").status).toBe(0);
  });

  it("of a disk that is nowhere is a tree alone", () => {
    const whole = exported("12-merged", "--verity");
    const alone = exported("12-merged", "--verity-only");
    const [root, offset] = [words(whole.stdout).at(-1) ?? "", Number(LINE.exec(whole.stdout)?.[2])];
    expect(words(alone.stdout).at(-1)).toBe(root);
    expect(readFileSync(alone.disk).equals(readFileSync(whole.disk).subarray(offset))).toBe(true);
    const plain = exported("12-merged").disk;
    expect(image("verify", plain, root, "--hash-file", alone.disk)).toMatchObject({ status: 0, stderr: "" });
  });

  it("holds no disk to a tree that does not cover it, whoever says how long that is", () => {
    const { disk } = exported("04-large");
    const tree = join(workDir(), "tree");
    const parameters = { dataBlock: 512, salt: new Uint8Array(0) };
    const rows: [dataBlocks: number, flags: string[], says: RegExp][] = [
      [0, [], /no hash tree of \d+ blocks/],
      [1, [], /the hash tree is of 1 blocks of 512 bytes, the disk has \d+ bytes/],
      [1, ["--data-blocks", "0"], /the hash tree is of 0 blocks/],
      [2 ** 53 - 1, [], /no hash tree of \d+ blocks/],
    ];
    for (const [dataBlocks, flags, says] of rows) {
      writeFileSync(tree, verityHeader({ ...parameters, dataBlocks }, new Uint8Array(32)));
      const { status, stderr } = image("verify", disk, "0".repeat(64), "--hash-file", tree, ...flags);
      expect([status, stderr]).toEqual([1, expect.stringMatching(says)]);
    }
    for (const dataBlock of [0, 3, 256, 2 ** 17, 2 ** 32 - 1])
      expect(
        readVerityHeader(verityHeader({ ...parameters, dataBlock, dataBlocks: 9 }, new Uint8Array(32))),
      ).toBeUndefined();
  });

  it.each(["disk", "tree"])("names what is no file: the %s", (which) => {
    const { disk } = exported("04-large");
    const dir = workDir();
    const args = which === "disk" ? [dir, "0".repeat(64)] : [disk, "0".repeat(64), "--hash-file", dir];
    expect(image("verify", ...args)).toMatchObject({
      status: 1,
      stderr: `Error: ${dir}: not a regular file\n`,
    });
  });

  it("finds a flipped byte wherever it is, and names layer and file", () => {
    const { disk, stdout } = exported("04-large", "--verity");
    const root = words(stdout).at(-1) ?? "";
    const offset = Number(LINE.exec(stdout)?.[2]);
    const end = 512 * Number(LINE.exec(stdout)?.[1]);
    const rows: [at: number, says: RegExp][] = [
      [100, /data block 0 is wrong: metadata/],
      [0x80000, /data block 1024 is wrong: blob 1 \([0-9a-f]{64}\), between its files/],
      [0x80000 + 4096, /data block \d+ is wrong: blob 1 \([0-9a-f]{64}\), \/\S+/],
      [offset, /a block of the hash tree is wrong/],
      [statSync(disk).size - 1, /a block of the hash tree is wrong/],
      ...(offset > end ? ([[end, /padding in front of the tree/]] as [number, RegExp][]) : []),
    ];
    for (const [at, says] of rows) {
      const bytes = readFileSync(disk);
      bytes[at] ^= 0xff;
      const wrong = join(workDir(), "wrong");
      writeFileSync(wrong, bytes);
      const found = image("verify", wrong, root);
      expect(found.status).toBe(1);
      expect(found.stderr).toMatch(says);
    }
  });
});

it.each([false, true])(
  "metadata are those that were checked, whatever is written meanwhile; --single-device: %s",
  (isSingle) => {
    const { path, devices } = fixture("04-large");
    const boot = join(workDir(), "boot");
    copyFileSync(path, boot);
    const search = { dirs: [], files: new Map([["1", devices[0] as string]]) };
    const open = openImageDisk(boot, search, { isSingle, hasLargeBlocks: false });
    const bytes = () => {
      const read = Buffer.alloc(statSync(path).size);
      new DiskReader(open.disk, open.files).read(0, read);
      return read;
    };
    const before = bytes();
    writeFileSync(boot, Buffer.alloc(before.length, 0x5a), { flag: "r+" });
    expect(bytes().equals(before)).toBe(true);
    open.close();
  },
);

describe("an export that cannot be", () => {
  const args = (name: string, output: string) => {
    const { path, devices } = fixture(name);
    return ["export", "--block", "-B", path, ...blobsOf(devices), "-O", output];
  };

  it.each<[string, (dir: string) => string[], RegExp]>([
    [
      "without --block",
      (dir) => ["export", "-B", fixture("04-large").path, "-O", join(dir, "disk")],
      /want --block/,
    ],
    [
      "without its tars",
      (dir) => ["export", "--block", "-B", fixture("04-large").path, "-O", join(dir, "disk")],
      /blob [0-9a-f]{64}: not found/,
    ],
    [
      "--salt without a tree",
      (dir) => [...args("04-large", join(dir, "disk")), "--salt", "00"],
      /want --verity/,
    ],
    [
      "salt that is no hex",
      (dir) => [...args("04-large", join(dir, "disk")), "--verity", "--salt", "xy"],
      /hex digits/,
    ],
    [
      "a stream",
      () => args("04-large", "-"),
      /--output -: a disk is written at its places, and no stream has those/,
    ],
    [
      "a layer that is not there",
      (dir) => [...args("12-merged", join(dir, "disk")), "--layer", "4"],
      /no layers are called 4; it has 3: 1 [0-9a-f]{12}, 2 [0-9a-f]{12}, 3 /,
    ],
    [
      "a layer of a disk",
      (dir) => ["export", "--block", fixture("13-export-disk").path, "-O", join(dir, "disk"), "--layer", "1"],
      /is a disk already, which has no tars: want its bootstrap/,
    ],
    ["no place to write to", () => args("04-large", "/nowhere/disk"), /\/nowhere: ENOENT/],
  ])("%s: is said, and nothing is written", (_, make, says) => {
    const dir = workDir();
    const { status, stderr } = image(...make(dir));
    expect(status).not.toBe(0);
    expect(stderr).toMatch(says);
    expect(readdirSync(dir)).toEqual([]);
  });

  it.each([
    [0xffffffff, ["--verity"], /of \d+ bytes of its disk \d+ are of the image or its tars: no hash tree/],
    [0xffffffff, ["--verity-only"], /no hash tree is made of so many zeros/],
    [2 ** 48 - 1, [], /blob [0-9a-f]{64} would end at byte 144\d+ of the disk, want less than 2\^53/],
  ] as const)("tars that lie far away, at block %i, %j", (block, flags, says) => {
    const dir = workDir();
    const boot = join(dir, "boot");
    const { path, devices } = fixture("04-large");
    const bytes = readFileSync(path);
    const v = new DataView(bytes.buffer, bytes.byteOffset);
    if (block >= 2 ** 32) v.setUint32(1024 + 80, v.getUint32(1024 + 80, true) | 0x80, true); // 48BIT
    putUnifiedBlock(v, 128 * v.getUint16(1024 + 88, true), block, block >= 2 ** 32);
    writeFileSync(boot, bytes);
    const { status, stderr } = image(
      ...["export", "--block", boot, ...blobsOf(devices), "-O", join(dir, "disk"), ...flags],
    );
    expect([status, stderr]).toEqual([1, expect.stringMatching(says)]);
    expect(readdirSync(dir)).toEqual(["boot"]);
  });

  it("tars that lie far away, of a disk that is served", async () => {
    const far = new FlatDisk(2 ** 41, []);
    await expect(withHashTree(far, [{ fd: -1, name: "boot" }], 512, new Uint8Array(0))).rejects.toThrow(
      "boot: of 2199023255552 bytes of its disk 0 are of the image or its tars: no hash tree",
    );
  });

  it("to a file that the disk is made of: that stays", () => {
    const dir = workDir();
    const { path, devices } = fixture("04-large");
    copyFileSync(path, join(dir, "boot"));
    copyFileSync(devices[0], join(dir, "tar"));
    for (const name of ["boot", "tar"]) {
      const output = join(dir, name);
      const before = statSync(output).ino;
      const blob = `1=${join(dir, "tar")}`;
      const { status, stderr } = image(
        ...["export", "--block", join(dir, "boot"), "--blob", blob, "-O", output],
      );
      expect([status, stderr]).toEqual([
        1,
        expect.stringMatching(/which the disk is made of; want another name/),
      ]);
      expect([readdirSync(dir), statSync(output).ino]).toEqual([["boot", "tar"], before]);
    }
  });

  it("a tar that is too short: nydus-image ends with 0 and a disk of stale bytes", () => {
    const dir = workDir();
    const { path, devices } = fixture("04-large");
    const short = join(dir, "short.tar");
    copyFileSync(devices[0], short);
    truncateSync(short, statSync(short).size - 1024);
    const { status, stderr } = image(
      "export",
      "--block",
      "-B",
      path,
      "--blob",
      `1=${short}`,
      "-O",
      join(dir, "disk"),
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/bytes/);
    expect(existsSync(join(dir, "disk"))).toBe(false);
  });

  it.each(DISKS)("no room for it on %s: is said before, what was there stays", (kind) => {
    const dir = smallDisk(kind, 64, "echo old >disk");
    const { status, stderr } = image(...args("04-large", join(dir, "disk")));
    expect(status).toBe(1);
    expect(stderr).toMatch(/bytes are needed, .* has room for \d+/);
    expect(readFileSync(join(dir, "disk"), "utf8")).toBe("old\n");
    expect(readdirSync(dir).sort()).toEqual(["disk", "filler"]);
  });

  it.each([
    ["SIGTERM", []],
    ["SIGTERM", ["--verity"]],
    ["SIGKILL", []],
  ] as const)("%s while it is written (%j): nothing has its name", async (signal, flags) => {
    const dir = workDir();
    sh('cd "$D"; head -c 400000000 /dev/urandom >f; tar -cf x.tar f; rm f', { D: dir });
    expect(
      image("create", "-B", join(dir, "x.boot"), "-D", dir, "--blob-id", "x", join(dir, "x.tar")).status,
    ).toBe(0);
    const output = join(dir, "disk");
    const child: ChildProcess = spawn(process.execPath, [
      COMMAND,
      ...["export", "--block", join(dir, "x.boot"), "-D", dir, "-O", output, ...flags],
    ]);
    const ended = once(child, "exit");
    while (!readdirSync(dir).some((name) => name.startsWith(".disk")) && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 2));
    child.kill(signal);
    const [, by] = await ended;
    expect(by).toBe(signal);
    expect(existsSync(output)).toBe(false);
    if (signal === "SIGTERM") expect(readdirSync(dir).filter((name) => name.startsWith("."))).toEqual([]);
    // The next one leaves nothing of it.
    expect(image("export", "--block", join(dir, "x.boot"), "-D", dir, "-O", output).status).toBe(0);
    expect(readdirSync(dir).filter((name) => name.startsWith("."))).toEqual([]);
  });
});

it("an exported disk is mounted by the daemon", async () => {
  const { disk } = exported("12-merged", "--single-device");
  const daemon = await start(["--bootstrap", disk]);
  expect(readdirSync(daemon.mountpoint).sort()).toEqual(
    [
      ...new Set(
        fixture("12-merged")
          .entries.map(({ path = "" }) => path.split("/")[1])
          .filter((name) => name),
      ),
    ].sort(),
  );
  expect(await daemon.stop()).toBe(0);
});
