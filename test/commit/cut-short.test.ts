import { spawn } from "node:child_process";
import { createReadStream, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, COMMAND, launch, run, sh, until } from "../support/daemon.ts";
import { DISKS, smallDisk } from "../support/small-disk.ts";
import { mountWritable, type Writable } from "./writable.ts";

const LARGE = 'cd "$1"; head -c 20000000 /dev/zero >large; echo z >z';

/** Bytes of the tar that are in the large file; what waits to be written is less than what follows. */
const MIDDLE = 2_000_000;

/** Has a commit wait in the middle of a large file, and does something meanwhile. */
async function commitDuring(
  mount: Writable,
  script: string,
): Promise<{ status: number | null; stderr: string }> {
  const fifo = join(mount.dir, "fifo");
  sh('mkfifo "$F"', { F: fifo });
  const child = spawn(process.execPath, [COMMAND, "commit", mount.mountpoint, "-o", fifo], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  let seen = 0;
  for await (const bytes of createReadStream(fifo)) {
    const before = seen;
    seen += bytes.length;
    if (before < MIDDLE && seen >= MIDDLE) await ask(script, mount.mountpoint);
  }
  return { status: await closed, stderr };
}

describe("a commit", () => {
  it.each([
    ["grows", 'echo x >>"$1/large"', "large"],
    ["becomes shorter", ': >"$1/large"', "large"],
    ["is overwritten", 'echo x | dd of="$1/large" conv=notrunc 2>/dev/null', "large"],
    ["goes", 'rm "$1/z"', "z"],
    ["becomes a link out of the mount", 'rm -r "$1/zz"; ln -s /etc "$1/zz"', "./"],
    ["comes", 'echo >"$1/new"', "./"],
  ])("fails when what it reads %s", async (_, script, name) => {
    const mount = await mountWritable("touch a");
    await ask(`${LARGE}; mkdir zz; echo f >zz/f`, mount.mountpoint);
    const { status, stderr } = await commitDuring(mount, script);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `Error: ${name}: changed while it was read: end what writes to the mount, or stop it meanwhile\n`,
    });
  });

  it.each(DISKS)("names a full disk, and leaves nothing there (%s)", async (kind) => {
    const mount = await mountWritable("touch a");
    await ask(LARGE, mount.mountpoint);
    const layer = join(smallDisk(kind, 4096), "layer.tar");
    const { status, stderr } = run(["commit", mount.mountpoint, "-o", layer]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(`${layer}: ENOSPC`) });
    expect(sh('ls -A "$(dirname "$L")" | grep layer || true', { L: layer })).toBe("");
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("leaves nothing behind at %s", async (signal) => {
    const mount = await mountWritable("touch a");
    await ask('truncate -s 50G "$1/hole"', mount.mountpoint);
    const out = join(mount.dir, "out");
    sh('mkdir "$O"', { O: out });
    const words = ["commit", mount.mountpoint, "--gzip", "-o", join(out, "layer.tar.gz")];
    const child = launch(process.execPath, [COMMAND, ...words]);
    const exited = new Promise((resolve) => child.once("exit", (code, by) => resolve(by ?? code)));
    await until(() => readdirSync(out).length > 0, "a file that is not whole");
    child.kill(signal);
    expect(await exited).toBe(signal);
    expect(readdirSync(out)).toEqual([]);
  });

  it.each([
    [
      "a directory that is no mount",
      "nothing",
      "no image is mounted there that nydusd-ts mount --rw has made writable",
    ],
    ["what is not there", "absent", "no image is mounted there that nydusd-ts mount --rw has made writable"],
  ])("refuses %s", async (_, name, problem) => {
    const mount = await mountWritable("touch a");
    const path = join(mount.dir, name);
    sh('mkdir -p "$D/nothing"', { D: mount.dir });
    const { status, stderr } = run(["commit", path, "-o", "-"]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: `Error: ${path}: ${problem}\n` });
  });

  it("refuses a mount that nothing can be written to", async () => {
    const mount = await mountWritable("touch a");
    const at = mount.show([mount.base]);
    const { status, stderr } = run(["commit", at, "-o", "-"]);
    const cure = "nydusd-ts mount --rw DIR keeps changes in DIR";
    expect({ status, stderr }).toEqual({
      ...{ status: 1, stderr: `Error: ${at}: mounted read-only, so nothing was changed: ${cure}\n` },
    });
  });

  it("refuses an empty word", () => {
    expect(run(["commit", "", "-o", "-"])).toEqual({
      status: 1,
      stdout: "",
      stderr: "Error: the mountpoint is an empty string\n",
    });
  });
});
