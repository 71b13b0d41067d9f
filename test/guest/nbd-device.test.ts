import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { image } from "../block/exported.ts";
import { run, sh, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { needs } from "../support/needs.ts";
import { copyProgram, guest, NO_GUEST, rawDisk, section } from "./guest.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NBD = ["nbd"];
/** Node starts five times on an emulated CPU; a request that a process left goes to another connection after 60 s, maybe twice. */
const GUEST_MS = 600_000;

/** A disk with Node, this program, and two images in it: what a guest needs to serve them to its own kernel. */
function diskWithProgram(): { disk: string; sums: string[] } {
  const dir = workDir();
  const root = join(dir, "root");
  for (const each of ["proc", "sys", "dev", "tmp", "bin", "image", "app/dist", "app/node_modules"])
    mkdirSync(join(root, each), { recursive: true });
  copyProgram(process.execPath, root, "node");
  sh(
    `cp -r "$P/dist/bundle" "$R/app/dist/"; cp "$P/package.json" "$R/app/"
     for package in commander koffi @koromix; do cp -rL "$P/node_modules/$package" "$R/app/node_modules/"; done
     mkdir "$D/t"; head -c 3000001 /dev/urandom >"$D/t/big"; head -c 6000000 /dev/urandom >"$D/t/other"
     for i in $(seq 40); do head -c $((RANDOM)) /dev/urandom >"$D/t/f$i"; done; tar -C "$D/t" -cf "$R/image/t" .
     tar -C "$D/t" -cf "$R/image/u" f1`,
    { P: ROOT, R: root, D: dir },
  );
  for (const name of ["t", "u"]) {
    const [tar, boot] = [join(root, "image", name), join(root, "image", `${name}.boot`)];
    expect(image("create", "-B", boot, "-D", join(root, "image"), "--blob-id", name, tar).status).toBe(0);
  }
  const [tar, boot, disk] = ["root.tar", "root.boot", "root.disk"].map((name) => join(dir, name));
  sh('tar -C "$R" -cf "$T" .', { R: root, T: tar });
  expect(image("create", "-B", boot, "-D", dir, "--blob-id", "root.tar", tar).status).toBe(0);
  expect(image("export", "--block", "--single-device", boot, "-D", dir, "-O", disk).status).toBe(0);
  const sums = sh('cd "$D/t"; sha256sum ./* | sort', { D: dir }).trim().split("\n");
  return { disk, sums };
}

describe("the kernel's device", () => {
  needs(NO_GUEST);

  it("shows an image, outlives who serves it, goes on with the next one, and ends with the last", async () => {
    const { disk, sums } = diskWithProgram();
    const script = `mkdir /app /mnt/nbd; mount -t erofs -o ro /dev/vda /app
for each in proc sys dev; do mount -o bind /$each /app/$each; done; mount -t tmpfs none /app/tmp
serve() { log=$1; shift; chroot /app /bin/node /app/dist/bundle/nydusd-ts.js nbd /dev/nbd0 -D /image --single-device "$@" >/tmp/$log 2>&1; }
await() { for i in $(seq 600); do grep -q "$1\\|^Error" /tmp/$2 && return; sleep 0.2; done; echo "no $1 in $2"; cat /tmp/$2; }
sums() { echo 3 >/proc/sys/vm/drop_caches; (cd /mnt/nbd && sha256sum ./* 2>&1) | sort | sed "s/^/$1| /"; }
pid() { cat /app/tmp/$1.pid; }
serve one -B /image/t.boot & await '^ready ' one
sed -n 's/^ready.* \\(device=[^ ]*\\).* \\(size=\\).*/ready| \\1 \\2/p' /tmp/one
echo "block| $(blockdev --getss /dev/nbd0) $(blockdev --getro /dev/nbd0)"
mount -t erofs -o ro /dev/nbd0 /mnt/nbd && sums one
serve other -B /image/u.boot; echo "other| $?"; sed 's/^/other| /' /tmp/other
kill -9 $(cat /sys/block/nbd0/pid); sleep 1
(sums two >/tmp/sums; echo done >>/tmp/sums) & sleep 1
serve two -B /image/t.boot & await '^ready ' two; await '^done' sums; cat /tmp/sums
serve three -B /image/t.boot --threads 1 & await 'waits for that to end' three
serve four -B /image/t.boot & four=$!; await 'waits for that to end' four
server=$(cat /sys/block/nbd0/pid); last=$(busybox pidof node | tr ' ' '\\n' | sort -n | tail -n 1)
kill -STOP $last; kill $last; kill -CONT $last; wait $four
echo "four| $? $([ "$server" = "$(cat /sys/block/nbd0/pid)" ] && echo the same)"
kill $(busybox pidof node | tr ' ' '\\n' | sort -n | head -n 1); await '^ready ' three; sums three
grep -v ^ready /tmp/two | sed 's/^/said| /'; grep -v ^ready /tmp/three | sed 's/^/waits| /'
umount /mnt/nbd; kill $(busybox pidof node); wait
echo "end| $(cat /sys/block/nbd0/pid 2>&1) $(cat /sys/block/nbd0/size)"`;
    const output = await guest(script, [rawDisk(disk)], { modules: NBD, most: GUEST_MS });
    expect(section(output, "ready")).toEqual(["device=/dev/nbd0 size="]);
    expect(section(output, "block")).toEqual(["512 1"]);
    for (const name of ["one", "two", "three"])
      expect([name, ...section(output, name)]).toEqual([name, ...sums]);
    expect(section(output, "other")).toEqual([
      "1",
      "Error: /dev/nbd0: shows another disk already; nbd-client -d /dev/nbd0 ends it",
    ]);
    expect(section(output, "said")).toEqual([
      expect.stringMatching(/\/dev\/nbd0: is in use and stays; what reads it waits up to 60 s/),
    ]);
    expect(section(output, "waits")).toEqual([
      expect.stringMatching(/process \d+ serves it; this one waits/),
    ]);
    expect(section(output, "four")).toEqual(["0 the same"]);
    expect(section(output, "end")).toEqual([expect.stringMatching(/No such file or directory 0$/)]);
  }, 900_000);
});

describe("where the kernel has no device for it", () => {
  const { path, devices } = fixture("04-large");
  const args = ["-B", path, "--blob", `1=${devices[0]}`];

  it.each<[string, string[], RegExp]>([
    ["no image", ["nbd", "/dev/nbd0"], /want \/dev\/nbdN --bootstrap IMAGE/],
    ["no device", ["nbd", path, ...args], /with --bootstrap want one device, \/dev\/nbdN/],
    ["two devices", ["nbd", "/dev/nbd0", "/dev/nbd1", ...args], /want one device/],
    ["a socket, too", ["nbd", "/dev/nbd0", ...args, "--socket", "/x"], /want one address/],
    ["another image", ["nbd", "/dev/nbd0", ...args, "--export", `x=${path}`], /a device shows one disk/],
    ["threads of a socket", ["nbd", path, "--threads", "2", "--socket", "/x"], /--threads is of a device/],
  ])("%s is refused", (_, words, says) => {
    const { status, stderr } = run(words);
    expect([status, stderr]).toEqual([2, expect.stringMatching(says)]);
  });

  needs(existsSync("/sys/block/nbd0") ? "this kernel has NBD" : undefined);
  it("says so, and what helps", () => {
    const { status, stderr } = run(["nbd", "/dev/nbd0", ...args]);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(
        /\/dev\/nbd0: this kernel has no network block devices; modprobe nbd, .*--socket/,
      ),
    ]);
  });
});
