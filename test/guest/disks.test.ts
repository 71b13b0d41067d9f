import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readTables } from "../../src/erofs/open.ts";
import { parseHashWords, type HashWords } from "../../src/verity/hash-words.ts";
import { serveNbd } from "../nbd/served.ts";
import { sh, workDir } from "../support/daemon.ts";
import { serve, tree } from "../support/image.ts";
import { needs } from "../support/needs.ts";
import { guest, largeSectors, nbdDisk, NO_GUEST, rawDisk, section } from "./guest.ts";

const IMAGE = fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url));
const BUSYBOX = fileURLToPath(new URL("../../.cache/tools/guest/busybox", import.meta.url));
const none = { dirs: [], files: new Map() };

const image = (...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [IMAGE, ...args], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
};

/** Two layers, the upper one takes something away; with a program that needs nothing else. */
function twoLayers() {
  const dir = workDir();
  sh(
    `cd "$D"; mkdir -p base/bin base/etc base/gone app/srv blobs
     cp "$B" base/bin/busybox; ln -s busybox base/bin/sh; echo base >base/etc/name; echo x >base/gone/x
     head -c 3000001 /dev/urandom >base/big; for i in $(seq 60); do head -c $((RANDOM)) /dev/urandom >base/etc/f$i; done
     echo app >app/srv/name; head -c 700000 /dev/urandom >app/srv/data; touch app/.wh.gone
     for l in base app; do tar -C $l -cf $l.tar .; done`,
    { D: dir, B: BUSYBOX },
  );
  const path = (name: string) => join(dir, name);
  for (const layer of ["base", "app"])
    image("create", "-B", path(`${layer}.boot`), "-D", path("blobs"), path(`${layer}.tar`));
  image("merge", "-B", path("image.boot"), path("base.boot"), path("app.boot"));
  return { path, export: (out: string, ...flags: string[]) => exported(path, out, flags) };
}

function exported(path: (name: string) => string, out: string, flags: readonly string[]) {
  const disk = path(out);
  const line = image("export", "--block", path("image.boot"), "-D", path("blobs"), "-O", disk, ...flags);
  return { disk, line };
}

/** sha256sum of all files, as busybox prints it. */
function sums(disk: string): string[] {
  return tree(serve(disk, none).fs)
    .filter(({ sha256 }) => sha256 !== undefined)
    .map(({ path, sha256 }) => `${sha256}  .${path}`)
    .sort();
}

const SUMS = `sums() { (cd "$2" && find . -type f | sort | xargs sha256sum) 2>&1 | sort | sed "s/^/$1| /"; }`;

/** A table of device-mapper's for dm-verity. */
const verityTable = (device: string, { dataBlocks = 0, hashOffset = 0, root }: HashWords): string =>
  `0 ${dataBlocks} verity 1 ${device} ${device} 512 4096 ${dataBlocks} ${hashOffset / 4096} sha256 ${root} -`;

describe("a guest", () => {
  needs(NO_GUEST);

  it("mounts a disk that was written, one that is served, and one below dm-verity, and runs a program from it", async () => {
    const made = twoLayers();
    const single = made.export("single.disk", "--single-device", "--verity");
    const flat = made.export("flat.disk");
    const large = made.export("large.disk", "--block-size", "4096");
    const words = parseHashWords(single.line, "line");
    const want = sums(single.disk);
    expect(want).toEqual(sums(flat.disk));
    expect(want).toEqual(sums(large.disk));
    const served = await serveNbd([
      made.path("image.boot"),
      "--blob-dir",
      made.path("blobs"),
      "--single-device",
    ]);
    // Where the flattened disk has its tars, for a kernel that must be told.
    const bytes = readFileSync(flat.disk);
    const { devices } = readTables(bytes, bytes.length, flat.disk);
    const parts = [{ unifiedAt: 0, blocks: statSync(flat.disk).size / 512 }, ...devices];
    const linear = parts.map(
      ({ unifiedAt, blocks }, i) =>
        `dmsetup create part${i} --readonly --table "0 ${blocks} linear /dev/vdc ${unifiedAt / 512}"`,
    );
    const told = devices.map((_, i) => `device=/dev/mapper/part${i + 1}`).join(",");
    const script = `${SUMS}
for i in written served verity told large rw; do mkdir -p /mnt/$i; done
mount -t erofs -o ro /dev/vda /mnt/written && sums written /mnt/written
mount -t erofs -o ro /dev/vdb /mnt/served && sums served /mnt/served
dmsetup create v --readonly --table "${verityTable("/dev/vdd", words)}"
${linear.join("\n")}
dmsetup mknodes
mount -t erofs -o ro /dev/mapper/v /mnt/verity && sums verity /mnt/verity
mount -t erofs -o ro,${told} /dev/mapper/part0 /mnt/told && sums told /mnt/told
echo "sectors| $(blockdev --getss /dev/vde)"
mount -t erofs -o ro /dev/vde /mnt/large && sums large /mnt/large
mount -t tmpfs none /tmp; mkdir /tmp/u /tmp/w
mount -t overlay -o lowerdir=/mnt/verity,upperdir=/tmp/u,workdir=/tmp/w none /mnt/rw
chroot /mnt/rw /bin/sh -c 'echo "$(/bin/busybox cat /etc/name /srv/name)" more >/etc/name; /bin/busybox rm /big; /bin/busybox cat /etc/name; /bin/busybox ls /' | sed 's/^/run| /'
cat /mnt/verity/etc/name | sed 's/^/run| /'`;
    const drives = [rawDisk(single.disk), nbdDisk(served.socket), rawDisk(flat.disk), rawDisk(single.disk)];
    const output = await guest(script, drives, { options: largeSectors(large.disk) });
    expect(section(output, "sectors")).toEqual(["4096"]);
    for (const name of ["written", "served", "verity", "told", "large"])
      expect([name, ...section(output, name)]).toEqual([name, ...want]);
    expect(section(output, "run")).toEqual(["base", "app more", "bin", "etc", "srv", "base"]);
    expect(await served.stop()).toBe(0);
  });

  it("is given no block by dm-verity that was changed, and says which", async () => {
    const made = twoLayers();
    const { disk, line } = made.export("single.disk", "--single-device", "--verity");
    const bad = made.path("bad.disk");
    copyFileSync(disk, bad);
    const bytes = readFileSync(bad);
    const at = bytes.indexOf(readFileSync(made.path("base/big")).subarray(2_000_000, 2_000_064));
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(bad, bytes);
    const script = `mkdir -p /mnt/bad
dmsetup create v --readonly --table "${verityTable("/dev/vda", parseHashWords(line, "line"))}"; dmsetup mknodes
mount -t erofs -o ro /dev/mapper/v /mnt/bad
cat /mnt/bad/big >/dev/null 2>/tmp/said && echo "read| all" || sed 's/^/read| /' /tmp/said
cat /mnt/bad/etc/name | sed 's/^/read| /'
dmesg | sed -n 's/.*device-mapper: verity: /dm| /p' | sort -u`;
    const output = await guest(script, [rawDisk(bad)]);
    expect(section(output, "read")).toEqual([expect.stringMatching(/Input\/output error$/), "base"]);
    expect(section(output, "dm")).toContainEqual(
      expect.stringMatching(new RegExp(`data block ${Math.floor(at / 512)} is corrupted$`)),
    );
    const { status, stderr } = spawnSync(
      process.execPath,
      [IMAGE, "verify", bad, line.trim().split(" ").at(-1) ?? ""],
      {
        encoding: "utf8",
      },
    );
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(`data block ${Math.floor(at / 512)} is wrong: /big`),
    ]);
  });
});
