import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { get } from "../support/api.ts";
import { ask, servedCounts, sh, shell, start, workDir } from "../support/daemon.ts";
import { forget } from "../support/forget.ts";
import { isBack } from "../support/leftovers.ts";
import { needs } from "../support/needs.ts";
import { must, orderOf, resourcesOf, startEmpty, versions } from "../support/submounts.ts";
import { tarImage } from "../support/tar-image.ts";

const SUMS = 'cd "$1"; find . -type f | sort | xargs cat | sha256sum';

describe.each(["direct", "fuse-native"])("%s", (transport) => {
  it("a tar that nobody may read any more is read on, also by workers that come to it later", async () => {
    const made = tarImage("for i in $(seq 8); do head -c 300000 /dev/urandom >f$i; done");
    const daemon = await start([...made.flags, "--transport", transport]);
    chmodSync(made.tar, 0);
    chmodSync(made.boot, 0);
    const read = 'for i in 1 2 3 4 5 6 7 8; do cmp "$1/f$i" "$2/f$i" & done; wait';
    expect(await ask(read, daemon.mountpoint, made.source)).toBe("");
    expect(await daemon.stop()).toBe(0);
    expect(servedCounts(daemon.output())["errors"]).toBeUndefined();
  });

  it("a tar that is rewritten in place shows the new bytes, page by page, in nothing else than its own files", async () => {
    const made = tarImage("seq 100000 >f; seq 5 >g");
    const daemon = await start([...made.flags, "--transport", transport]);
    const before = await ask('cat "$1/g"; stat -c "%n %s %Y %i" "$1"/*', daemon.mountpoint);
    const at = readFileSync(made.tar).indexOf("1\n2\n3\n4\n5\n6\n7\n");
    const fd = openSync(made.tar, "r+");
    writeSync(fd, "X".repeat(4096), at + 8192);
    closeSync(fd);
    // What was not read before is read now: nothing says that it is not what was packed (docs/testing.md).
    const want = readFileSync(join(made.source, "f"));
    want.fill("X", 8192, 12_288);
    writeFileSync(join(made.source, "f"), want);
    expect(await ask('cmp "$1/f" "$2/f"', daemon.mountpoint, made.source)).toBe("");
    expect(await ask('cat "$1/g"; stat -c "%n %s %Y %i" "$1"/*', daemon.mountpoint)).toBe(before);
    expect(await daemon.stop()).toBe(0);
  });
});

it.each<[how: string, harm: (tar: string) => void, why: RegExp]>([
  ["deleted", (tar) => rmSync(tar), /ENOENT: no such file/],
  [
    "another file",
    (tar) => {
      copyFileSync(tar, `${tar}.new`);
      renameSync(`${tar}.new`, tar);
    },
    /not the file that was there when the image was mounted/,
  ],
  ["shorter", (tar) => truncateSync(tar, 1024), /ends before byte \d+: it was truncated/],
  [
    "a directory",
    (tar) => {
      rmSync(tar);
      sh('mkdir "$T"', { T: tar });
    },
    /not a regular file/,
  ],
])(
  "a tar beyond those that are kept open, %s: EIO for it alone, said once, and right bytes once it is back",
  async (how, harm, why) => {
    const image = await versions("seq 50000 >f");
    const other = await versions("seq 60000 >g");
    // So few that the second image is opened when it is read.
    const daemon = await startEmpty("--rlimit-nofile", "132");
    const { sock, mountpoint, pid } = daemon;
    const copies = Array.from({ length: 12 }, (_, i) => join(image.dir, `copy${i}.boot`));
    for (const [i, copy] of copies.entries()) {
      copyFileSync(image.boots[0], copy);
      await must(sock, `POST /${i}`, orderOf(copy, image.dir));
    }
    await must(sock, "POST /other", other);
    const tar = sh('ls "$D" | grep -E "^[0-9a-f]{64}$"', { D: other.dir }).trim();
    const path = join(other.dir, tar);
    expect(sh('ls -l "/proc/$P/fd" | grep -c "$T" || true', { P: `${pid}`, T: path })).toBe("0\n");
    const bytes = readFileSync(path);
    linkSync(path, `${path}.kept`);
    harm(path);
    const { stderr } = await shell('cat "$1/other/g" >/dev/null; cat "$1/other/g"', mountpoint);
    expect(stderr, how).toMatch(/other\/g: Input\/output error\n$/);
    expect(await ask('cat "$1"/[0-9]*/f | wc -l', mountpoint)).toBe("600000\n");
    expect(
      daemon
        .output()
        .match(/WARN .*/g)
        ?.filter((line) => line.includes(tar)),
    ).toEqual([expect.stringMatching(why)]);
    sh('rm -rf "$T"; mv "$T.kept" "$T"', { T: path });
    writeFileSync(path, bytes);
    expect(await ask('cmp "$1/other/g" <(seq 60000); echo same', mountpoint)).toBe("same\n");
    expect(await get(sock, "/api/v1/daemon")).toMatchObject({ state: "RUNNING" });
    expect(await daemon.stop()).toBe(0);
  },
);

describe("a disk with read errors", () => {
  needs(existsSync("/dev/loop-control") ? undefined : "there is no /dev/loop-control");

  /** An ext4 whose file was cut short behind the mount's back: blocks beyond the cut answer EIO. */
  it("EIO for what it cannot read, everything else as it was, and all of it when the disk is well again", async () => {
    const files = 12;
    const made = tarImage(`for i in $(seq 10 $((9 + ${files}))); do head -c 1000000 /dev/urandom >f$i; done`);
    const dir = workDir();
    const disk = join(dir, "disk");
    sh(
      `mkdir "$D/disk"; truncate -s 24M "$D/file"; mkfs.ext4 -q -O ^has_journal -m 0 "$D/file"
       mount -o loop,ro "$D/file" "$D/disk" && umount "$D/disk"; mount -o loop "$D/file" "$D/disk"
       cp "$T" "$D/disk/tar"; umount "$D/disk"; cp --sparse=always "$D/file" "$D/whole"; mount -o loop,ro "$D/file" "$D/disk"`,
      { D: dir, T: made.tar },
    );
    const daemon = await start(["-B", made.boot, "--blob", `1=${join(disk, "tar")}`]);
    const before = resourcesOf(daemon.pid);
    const drop = async () => {
      await forget(daemon.mountpoint);
      await ask('dd if="$1" iflag=nocache count=0 status=none', join(disk, "tar")); // the daemon has it open
    };
    truncateSync(join(dir, "file"), 14 << 20);
    await drop();
    const look = `cd "$1"; for f in f*; do cmp "$f" "$2/$f" >/dev/null 2>&1 && echo right || { { cat "$f" 2>&1 >/dev/null || true; } | grep -o 'Input/output error' || echo wrong; }; done | sort | uniq -c`;
    const seen = await ask(look, daemon.mountpoint, made.source);
    expect(seen).toMatch(/^ +\d+ Input\/output error\n +\d+ right\n$/);
    expect(daemon.output()).toMatch(/WARN .*disk\/tar: EIO: i\/o error, read/);
    sh('dd if="$D/whole" of="$D/file" bs=1M conv=notrunc status=none; truncate -s 24M "$D/file"', { D: dir });
    await drop();
    expect(await ask(SUMS, daemon.mountpoint)).toBe(await ask(SUMS, made.source));
    await isBack(daemon.pid, before);
    expect(await daemon.stop()).toBe(0);
  });
});
