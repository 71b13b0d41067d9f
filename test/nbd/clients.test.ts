import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { blobFlags, COMMAND, mountErofs, sh, until, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { ABSENT } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { RawClient } from "./client.ts";
import { serveNbd } from "./served.ts";
import { WAIT_FOR } from "../support/wait-for.ts";

const MERGED = fixture("12-merged");
const FLAT = fixture("13-export-disk").path;
const IMAGE = COMMAND.replace("nydusd-ts.js", "nydus-image-ts.js");
const uri = (socket: string, name = "") => `nbd+unix:///${name}?socket=${socket}`;
const merged = (...more: string[]) => serveNbd([MERGED.path, ...blobFlags(MERGED.devices), ...more]);
const program = (name: string, ...args: string[]) =>
  spawnSync(name, args, { encoding: "utf8", timeout: 60_000 });

describe("clients of others read the disk", () => {
  it("nbdinfo finds what there is", async () => {
    const { socket } = await merged("--export", `flat=${FLAT}`);
    const { exports } = JSON.parse(program("nbdinfo", "--json", "--list", uri(socket)).stdout);
    expect(
      exports.map((each: Record<string, unknown>) => [
        each["export-name"],
        each["is_read_only"],
        each["can_multi_conn"],
      ]),
    ).toEqual([
      ["", true, true],
      ["flat", true, true],
    ]);
  });

  it("nbdcopy and qemu-img get what export writes, hash tree and all", async () => {
    const { socket, output } = await merged("--verity");
    const dir = workDir();
    expect(program("nbdcopy", uri(socket), join(dir, "disk")).status).toBe(0);
    const genuine = readFileSync(FLAT);
    expect(readFileSync(join(dir, "disk")).subarray(0, genuine.length).equals(genuine)).toBe(true);
    const words = (/^dm-verity options: (.*)$/m.exec(output())?.[1] ?? "").replace('""', "-").split(" ");
    const root = words.pop() ?? "";
    expect(
      program("veritysetup", "verify", ...words, join(dir, "disk"), join(dir, "disk"), root).status,
    ).toBe(0);
    expect(program("qemu-img", "convert", "-O", "raw", uri(socket), join(dir, "other")).status).toBe(0);
    expect(readFileSync(join(dir, "other")).equals(readFileSync(join(dir, "disk")))).toBe(true);
    expect(program("qemu-img", "compare", uri(socket), join(dir, "disk")).stdout).toMatch(
      /^Images are identical/,
    );
  });

  describe("the kernel, through nbdfuse", () => {
    needs(ABSENT["erofs-loop"]);
    it("mounts it", async () => {
      const { socket } = await merged("--single-device");
      const dir = workDir();
      for (const name of ["fuse", "mnt"]) mkdirSync(join(dir, name));
      sh(
        `nbdfuse "$D/fuse/disk" "$U" & fuse=$!
         ${WAIT_FOR}; wait_for test -e "$D/fuse/disk"
         mount -t erofs -o ro,loop "$D/fuse/disk" "$D/mnt"; (cd "$D/mnt"; find . -type f -exec sha256sum {} +) | sort >"$D/found"
         umount "$D/mnt"; fusermount3 -u "$D/fuse"; wait $fuse || true`,
        { D: dir, U: uri(socket) },
      );
      mountErofs(FLAT, [], join(dir, "mnt"));
      const wanted = sh('(cd "$D/mnt"; find . -type f -exec sha256sum {} +) | sort', { D: dir });
      expect(readFileSync(join(dir, "found"), "utf8").trim()).toBe(wanted.trim());
      expect(wanted).not.toBe("");
    });
  });
});

it("200 clients, half of them hostile, cost those who read, and one who verifies all of it, nothing but time", async () => {
  const dir = workDir();
  sh('cd "$D"; head -c 60000000 /dev/urandom >f; tar -cf x.tar f; rm f', { D: dir });
  execFileSync(process.execPath, [
    IMAGE,
    "create",
    "-B",
    join(dir, "x.boot"),
    "-D",
    dir,
    "--blob-id",
    "x",
    join(dir, "x.tar"),
  ]);
  const served = await serveNbd([join(dir, "x.boot"), "--blob-dir", dir, "--verity"]);
  const root = /^dm-verity.* ([0-9a-f]{64})$/m.exec(served.output())?.[1] ?? "";
  const tar = readFileSync(join(dir, "x.tar"));
  const clients = await Promise.all(Array.from({ length: 200 }, () => RawClient.connect(served.socket)));
  const hostile = clients.slice(0, 100);
  const honest = clients.slice(100);
  await Promise.all([...hostile.slice(0, 75), ...honest].map((client) => client.go()));
  // They take nothing of what they ask for, stop within a request, or have said nothing from the first.
  for (const client of hostile.slice(0, 50)) {
    client.socket.pause();
    for (let i = 0; i < 20; i++) client.request(0, 0x80000, 32 << 20);
  }
  for (const client of hostile.slice(50, 75)) {
    client.request(1, 0, 0xffff_ffff, 0, Buffer.alloc(100_000));
    client.socket.pause();
  }
  const read = async (client: RawClient, nth: number) => {
    for (let i = 0; i < 20; i++) {
      const at = ((nth * 7919 + i * 104_729) % (tar.length / 512 - 200)) * 512;
      client.request(0, 0x80000 + at, 100_000);
      expect((await client.simple(100_000)).data.equals(tar.subarray(at, at + 100_000))).toBe(true);
    }
  };
  const copying = promisify(execFile)("nbdcopy", [uri(served.socket), join(dir, "disk")]);
  await Promise.all(honest.map(read));
  await copying;
  const { status } = spawnSync(process.execPath, [IMAGE, "verify", join(dir, "disk"), root]);
  expect(status).toBe(0);
  const copied = readFileSync(join(dir, "disk"));
  expect(copied.subarray(0x80000, 0x80000 + tar.length).equals(tar)).toBe(true);
  const resident = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${served.pid}/status`, "latin1"))?.[1]);
  expect(resident).toBeLessThan(150 * 1024);
  for (const client of clients) client.close();
  expect(await served.stop()).toBe(0);
});

it("a socket of systemd is taken", async () => {
  const socket = join(workDir(), "sock");
  const dir = workDir();
  sh(
    `systemd-socket-activate -l "$S" "$N" "$C" nbd "$F" >"$D/out" 2>&1 & echo $! >"$D/pid"
     ${WAIT_FOR}; wait_for test -S "$S"`,
    { S: socket, N: process.execPath, C: COMMAND, F: FLAT, D: dir },
  );
  try {
    expect(program("nbdinfo", "--size", uri(socket)).stdout.trim()).toBe(
      `${Math.ceil(readFileSync(FLAT).length / 4096) * 4096}`,
    );
    await until(() => readFileSync(join(dir, "out"), "utf8").includes("ready "), "the ready line");
  } finally {
    process.kill(Number(readFileSync(join(dir, "pid"), "utf8")), "SIGTERM");
  }
});
