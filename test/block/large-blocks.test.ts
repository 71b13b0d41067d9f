import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mountErofs, sh, start, workDir } from "../support/daemon.ts";
import { type Expected, fixture, fixtureNames, image as patched, le, serve, tree } from "../support/image.ts";
import { ABSENT } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { serveNbd } from "../nbd/served.ts";
import { blobsOf, exported, image, none } from "./exported.ts";

/** Of files in the fixture `04-large`. */
const LARGE_NID = 137;
const SMALL_NID = 140;
const LARGE = ["--block-size", "4096"];
/** Images that mkfs.erofs and nydus-image made in blocks below 4096 bytes, or in as many. */
const IMAGES = fixtureNames.filter((name) => fixture(name).entries.length > 0);

/** What does not change when metadata are laid out anew: all but an inode's number, and the bytes of a directory. */
const withoutPlaces = (entries: readonly Expected[]) =>
  entries
    .map(({ ino: _, size, ...rest }) => ({ ...rest, size: rest.mode.startsWith("004") ? 0 : size }))
    .sort((a, b) => ((a.path ?? a.path_base64 ?? "") < (b.path ?? b.path_base64 ?? "") ? -1 : 1));

/** A tree of files around the sizes of blocks, with everything else that a tar can have. */
function odds() {
  const dir = workDir();
  sh(
    `cd "$D"; mkdir -p t/many t/a/b
     for n in 0 1 511 512 513 4095 4096 4097 8191 8192 8193 70000 1048577; do head -c $n /dev/urandom >t/f$n; done
     for i in $(seq 700); do echo $i >t/many/$(printf "%0$((i % 200 + 1))d" $i); done
     ln t/f4097 t/a/linked; ln -s "$(printf 'x%.0s' $(seq 3000))" t/a/b/long; ln -s f1 t/short; mkfifo t/fifo
     setfattr -n user.a -v 1 t/f513; setfattr -n user.big -v "$(printf 'y%.0s' $(seq 3900))" t/a
     truncate -s 3000000 t/holes; printf x | dd of=t/holes bs=1 seek=1000000 conv=notrunc status=none
     printf y | dd of=t/holes bs=1 seek=2999999 conv=notrunc status=none; truncate -s 50000 t/nothing
     tar -C t --sparse --xattrs -cf t.tar .`,
    { D: dir },
  );
  const path = (name: string) => join(dir, name);
  expect(image("create", "-B", path("t.boot"), "-D", dir, "--blob-id", "blob", path("t.tar")).status).toBe(0);
  const write = (out: string, ...flags: string[]) => {
    const { status, stdout, stderr } = image(
      ...["export", "--block", path("t.boot"), "-D", dir, "-O", path(out), ...LARGE, ...flags],
    );
    expect([status, stderr]).toEqual([0, ""]);
    return { disk: path(out), line: stdout };
  };
  return { dir, path, write };
}

describe("export --block --block-size 4096", () => {
  it.each(IMAGES)("shows what the image shows: %s", (name) => {
    const { disk } = exported(name, ...LARGE);
    expect(readFileSync(disk).readUInt8(1024 + 12)).toBe(12);
    expect(statSync(disk).size % 4096).toBe(0);
    expect(image("check", disk).status).toBe(0);
    expect(withoutPlaces(tree(serve(disk, none).fs))).toEqual(withoutPlaces(fixture(name).entries));
  });

  it("is the same each time, and a single device whether or not that is said", () => {
    const { write } = odds();
    const disk = readFileSync(write("one.disk").disk);
    expect(readFileSync(write("other.disk", "--single-device").disk).equals(disk)).toBe(true);
    expect(disk.readUInt16LE(1024 + 86)).toBe(0);
  });

  it("leaves an image with blocks of 4096 bytes as it is", () => {
    const plain = exported("14-rafs4k-disk");
    expect(readFileSync(exported("14-rafs4k-disk", ...LARGE).disk).equals(readFileSync(plain.disk))).toBe(
      true,
    );
  });

  it("keeps holes: the disk takes no more than what the files have", () => {
    const dir = workDir();
    // Chunks of a page, of which there would be too many: the hole is one of the disk.
    sh(
      `cd "$D"; mkdir t; truncate -s 20G t/f; printf x | dd of=t/f bs=1 seek=4096 conv=notrunc status=none
       tar -C t --sparse -cf t.tar f`,
      { D: dir },
    );
    const [boot, disk] = [join(dir, "boot"), join(dir, "disk")];
    expect(image("create", "-B", boot, "-D", dir, "--blob-id", "blob", join(dir, "t.tar")).status).toBe(0);
    expect(image("export", "--block", boot, "-D", dir, "-O", disk, ...LARGE).status).toBe(0);
    expect(statSync(disk).blocks * 512).toBeLessThan(2_000_000);
    const other = odds().write("disk").disk;
    expect(statSync(other).size).toBeLessThan(8_000_000);
  });

  describe("the kernel shows it as what it was made of", () => {
    needs(ABSENT["erofs-file"]);
    it("from the file", () => {
      const { dir, write } = odds();
      const { disk } = write("disk");
      const mnt = workDir();
      mountErofs(disk, [], mnt);
      expect(readdirSync(mnt)).toContain("holes");
      expect(sh('diff -r --no-dereference -x fifo "$D/t" "$M"; echo same', { D: dir, M: mnt }).trim()).toBe(
        "same",
      );
    });
  });

  describe("a loop device with sectors of 4096 bytes", () => {
    needs(ABSENT["erofs-loop"]);
    it("takes it, and not one in the image's own blocks", () => {
      const { dir, path, write } = odds();
      const { disk } = write("disk", "--verity");
      const small = path("small.disk");
      expect(
        image("export", "--block", path("t.boot"), "-D", dir, "-O", small, "--single-device").status,
      ).toBe(0);
      mkdirSync(path("mnt"));
      const mounted = (file: string) =>
        sh(
          `loop=$(losetup -f --show -r -b 4096 "$F")
           if mount -t erofs -o ro "$loop" "$D/mnt" 2>/dev/null
           then diff -r --no-dereference -x fifo "$D/t" "$D/mnt" && (cd "$D/mnt"; getfattr -d -m . f513 a; stat -c %h f4097); umount "$D/mnt"
           else echo refused; fi; losetup -d "$loop"`,
          { D: dir, F: file },
        );
      expect(mounted(disk)).toBe(sh('cd "$D/t"; getfattr -d -m . f513 a; stat -c %h f4097', { D: dir }));
      expect(mounted(small).trim()).toBe("refused");
    });
  });

  it("has a hash tree of blocks of 4096 bytes, and a bad one is named", async () => {
    const { path, write } = odds();
    const { disk, line } = write("disk", "--verity");
    const words = line.replace("dm-verity options: ", "").replace('""', "-").trim().split(" ");
    const root = words.pop() ?? "";
    expect(words).toContain("--data-block-size=4096");
    expect(spawnSync("veritysetup", ["verify", ...words, disk, disk, root]).status).toBe(0);
    expect(image("verify", disk, root).status).toBe(0);
    writeFileSync(path("root"), line);
    const daemon = await start(["--bootstrap", disk, "--verity", path("root")]);
    expect(readFileSync(join(daemon.mountpoint, "f1048577")).equals(readFileSync(path("t/f1048577")))).toBe(
      true,
    );
    expect(await daemon.stop()).toBe(0);
    const bytes = readFileSync(disk);
    const at = bytes.indexOf(readFileSync(path("t/f70000")).subarray(5000, 5064));
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(disk, bytes);
    expect(image("verify", disk, root).stderr).toContain(`data block ${Math.floor(at / 4096)} is wrong: `);
    expect(image("verify", disk, root).stderr).toContain("/f70000");
  });

  it("is served without being written, the same bytes", async () => {
    const { dir, path, write } = odds();
    const { disk } = write("disk");
    const served = await serveNbd([path("t.boot"), "--blob-dir", dir, ...LARGE]);
    const copy = path("copy.disk");
    expect(spawnSync("nbdcopy", [`nbd+unix:///?socket=${served.socket}`, copy]).status).toBe(0);
    const bytes = readFileSync(disk);
    expect(readFileSync(copy).equals(bytes)).toBe(true);
    const map = spawnSync("nbdinfo", ["--map", "--json", `nbd+unix:///?socket=${served.socket}`], {
      encoding: "utf8",
    }).stdout;
    for (const { offset, length, type } of JSON.parse(map)) {
      expect([offset % 4096, length % 4096]).toEqual([0, 0]);
      if (type !== 0) expect(bytes.subarray(offset, offset + length).every((byte) => byte === 0)).toBe(true);
    }
    expect(await served.stop()).toBe(0);
  });
});

describe("what is not moved", () => {
  it("files that have parts of a tar in common, of which a small image could have any number", () => {
    const { path, devices } = fixture("04-large");
    const bytes = readFileSync(path);
    const inode = (nid: number) => bytes.readUInt32LE(1024 + 40) * 512 + 32 * nid;
    // The small file gets a mebibyte, a block behind where the large one begins.
    const block = bytes.readUInt32LE(inode(LARGE_NID) + 64 + 4) + 1;
    const { dir, path: made } = patched(
      "04-large",
      [inode(SMALL_NID) + 8, le(1 << 20, 8)],
      [inode(SMALL_NID) + 64 + 4, le(block, 4)],
    );
    const disk = join(dir, "disk");
    const { status, stderr } = image("export", "--block", made, ...blobsOf(devices), "-O", disk, ...LARGE);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/have a part of is not moved/)]);
  });

  it("another size than 4096", () => {
    const { path, devices } = fixture("04-large");
    const { status, stderr } = image(
      ...["export", "--block", path, ...blobsOf(devices), "-O", "/nowhere/x", "--block-size", "1024"],
    );
    expect([status, stderr]).toEqual([2, expect.stringMatching(/want 4096/)]);
  });
});
