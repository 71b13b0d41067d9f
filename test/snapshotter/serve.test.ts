import { spawn } from "node:child_process";
import { chmodSync, chownSync, lchownSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { SNAPSHOTTER } from "../support/containers/snapshotter.ts";
import { until, workDir } from "../support/daemon.ts";
import { USER } from "../support/user.ts";

const running: ReturnType<typeof spawn>[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

/** A snapshotter in a directory, with what it says. */
function start(dir: string, root = join(dir, "root"), address = join(dir, "s.sock")) {
  const words = ["--root", root, "--address", address, "--containerd-address", join(dir, "none.sock")];
  const child = spawn(process.execPath, [SNAPSHOTTER, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    ended,
    output: () => output,
    ready: () => until(() => output.startsWith(`ready ${address}\n`), `a ready line: ${output}`),
    stop: () => child.kill("SIGTERM"),
  };
}

describe("nydus-snapshotter-ts", () => {
  it("makes the directories of its socket and its store, and ends on SIGTERM", async () => {
    const dir = workDir();
    const address = join(dir, "run/of/it/s.sock");
    const snapshotter = start(dir, join(dir, "lib/of/it"), address);
    await snapshotter.ready();
    expect(statSync(address).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, "lib/of/it")).mode & 0o777).toBe(0o700);
    snapshotter.stop();
    expect(await snapshotter.ended).toBe(0);
  });

  it("leaves a store to the process that has it", async () => {
    const dir = workDir();
    await start(dir).ready();
    const second = start(dir, join(dir, "root"), join(dir, "other.sock"));
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(/root.*process \d+/);
  });

  it("leaves a socket to the process that answers there", async () => {
    const dir = workDir();
    await start(dir).ready();
    const second = start(dir, join(dir, "other"));
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(/s\.sock: another process answers there/);
  });

  it.each(["a:b", "a,b", "a\\b"])("refuses %j, which options of overlayfs cannot say", async (name) => {
    const dir = workDir();
    const snapshotter = start(dir, join(dir, name));
    expect(await snapshotter.ended).toBe(1);
    expect(snapshotter.output()).toMatch(/no colon, comma or backslash/);
  });

  it("refuses a store that others may write to", async () => {
    const dir = workDir();
    mkdirSync(join(dir, "root"));
    chmodSync(join(dir, "root"), 0o777);
    const snapshotter = start(dir);
    expect(await snapshotter.ended).toBe(1);
    expect(snapshotter.output()).toMatch(/^Error: .*root/m);
  });

  it("makes nothing where a stranger's link leads", async () => {
    const [dir, elsewhere] = [workDir(), workDir()];
    symlinkSync(elsewhere, join(dir, "link"));
    lchownSync(join(dir, "link"), USER, USER);
    for (const [root, address] of [
      ["link/root", "s.sock"],
      ["root", "link/run/s.sock"],
    ] as const) {
      const snapshotter = start(dir, join(dir, root), join(dir, address));
      expect(await snapshotter.ended).toBe(1);
      expect(snapshotter.output()).toMatch(/^Error: .*link is a link that belongs to user 65534/m);
    }
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("listens in no directory in which a stranger can put another socket", async () => {
    const dir = workDir();
    mkdirSync(join(dir, "his"));
    chownSync(join(dir, "his"), USER, USER);
    const snapshotter = start(dir, undefined, join(dir, "his/s.sock"));
    expect(await snapshotter.ended).toBe(1);
    expect(snapshotter.output()).toMatch(/^Error: socket .*his\/s\.sock: belongs to user 65534$/m);
  });
});
