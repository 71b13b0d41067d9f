import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ask, COMMAND, emptyDir, run, shell, start, until, workDir } from "../support/daemon.ts";
import { stateOf } from "../support/kept.ts";
import { kernelMount, NO_KERNEL_DRIVER } from "../support/kernel.ts";
import { LAYERS, sha256 } from "./images.ts";

/** A cache that holds an image of three layers, one of them compressed. */
async function filled() {
  const dir = workDir();
  const cache = join(dir, "cache");
  const gz = join(dir, "l2.gz");
  writeFileSync(gz, gzipSync(readFileSync(LAYERS[1])));
  const sources = [LAYERS[0], gz, LAYERS[2]];
  const use = async (paths = sources) => {
    const daemon = await start(["--cache-dir", cache], emptyDir(), ["mount", "--driver", "fuse", ...paths]);
    return daemon;
  };
  await (await use()).stop();
  return { cache, gz, use };
}

const names = (cache: string) =>
  readdirSync(cache, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(cache, name)).isFile())
    .sort();
/** As if nobody had used it for so many days. */
const age = (cache: string, days: number, which = /./) => {
  const then = new Date(Date.now() - days * 86_400_000);
  for (const name of names(cache).filter((one) => which.test(one))) utimesSync(join(cache, name), then, then);
};
const gc = (cache: string, ...more: string[]) => run(["cache", "gc", "--cache-dir", cache, ...more]);

it("cache ls shows what is there, readable and as JSON", async () => {
  const { cache } = await filled();
  const { stdout, status } = run(["cache", "ls", "--cache-dir", cache]);
  expect(status).toBe(0);
  const lines = stdout.trim().split("\n");
  expect(lines[0]).toMatch(/^kind +id +on disk +last used +tars$/);
  expect(
    lines
      .slice(1, -1)
      .map((line) => line.split(" ")[0])
      .sort(),
  ).toEqual(["blob", "image", "layer", "layer", "layer"]);
  expect(lines.at(-1)).toMatch(/^5 files, \d/);
  const all = JSON.parse(run(["cache", "ls", "--json", "--cache-dir", cache]).stdout);
  const blob = all.find(({ kind }: { kind: string }) => kind === "blob");
  expect(blob).toMatchObject({ id: sha256(readFileSync(LAYERS[1])), path: join(cache, "blobs", blob.id) });
  const image = all.find(({ kind }: { kind: string }) => kind === "image");
  expect(image.blobs).toContain(blob.id);
});

it("cache ls of none is empty, and makes none", () => {
  const cache = join(workDir(), "none");
  expect(run(["cache", "ls", "--cache-dir", cache])).toMatchObject({
    status: 0,
    stdout: /* head and sum */ expect.stringContaining("0 files"),
  });
  expect(gc(cache)).toMatchObject({ status: 0, stdout: "0 files, 0.0 MiB freed\n" });
  expect(readdirSync(join(cache, ".."))).toEqual([]);
});

it("cache gc removes what was not used for long; --dry-run says so before", async () => {
  const { cache } = await filled();
  const before = names(cache);
  expect(gc(cache).stdout).toBe("0 files, 0.0 MiB freed\n");
  age(cache, 31);
  const dry = gc(cache, "--dry-run");
  expect(dry.stdout).toMatch(/^9 files, \d+\.\d MiB would be freed$/m);
  expect(names(cache)).toEqual(before);
  const real = gc(cache);
  expect(real.stdout.replace("freed", "would be freed")).toBe(dry.stdout);
  expect(names(cache)).toEqual([]);
});

it("cache gc keeps the tar that an image needs, and what a mount has just used", async () => {
  const { cache, use } = await filled();
  age(cache, 31, /^blobs/);
  expect(gc(cache).stdout).toBe("0 files, 0.0 MiB freed\n");
  age(cache, 31);
  await (await use()).stop();
  expect(gc(cache).stdout).toBe("0 files, 0.0 MiB freed\n");
});

it("cache gc takes leftovers of killed runs, but not what somebody is just making", async () => {
  const { cache } = await filled();
  writeFileSync(join(cache, "blobs/.blob.0123456789abcdef01234567.tmp"), "x");
  expect(gc(cache, "--older-than", "0s").stdout).not.toMatch(/blob\.0123/);
  age(cache, 1, /blob\.0123/);
  expect(gc(cache).stdout).toMatch(/^\S+\/blobs\/\.blob\.0123456789abcdef01234567\.tmp\n1 files, /);
});

it("cache gc leaves alone what has no name that a cache gives", async () => {
  const { cache } = await filled();
  const strange = [
    "images/vm.qcow2",
    "images/.hidden",
    "files/letter",
    "blobs/notes.1-old.tmp",
    "layers/a.boot",
  ];
  for (const name of strange) writeFileSync(join(cache, name), "x");
  mkdirSync(join(cache, "blobs", "0".repeat(64)));
  age(cache, 100, /./);
  gc(cache);
  expect(names(cache)).toEqual(strange.toSorted());
});

describe("cache gc leaves what is mounted", () => {
  /** The image and the tar of the compressed layer that it refers to; the tar may have its second name still. */
  const left = (cache: string) => [...new Set(names(cache).map((name) => name.replace(/\/.*/, "")))].sort();

  it("by a daemon", async () => {
    const { cache, use } = await filled();
    const daemon = await use();
    age(cache, 100);
    expect(gc(cache).status).toBe(0);
    expect(left(cache)).toEqual(["blobs", "images"]);
    expect(await daemon.stop()).toBe(0);
    gc(cache);
    expect(names(cache)).toEqual([]);
  });

  it("by a daemon that has died, and whose keeper starts another one", async () => {
    const { cache, gz } = await filled();
    const mountpoint = emptyDir();
    const args = ["mount", "--driver", "fuse", "--cache-dir", cache, LAYERS[0], gz, LAYERS[2], mountpoint];
    const { stdout } = await shell('sh "$@"', join(dirname(COMMAND), "../../bin/nydusd-ts.mjs"), ...args);
    const pid = Number(/ pid=(\d+)/.exec(stdout)?.[1]);
    age(cache, 100);
    gc(cache);
    process.kill(pid, "SIGKILL");
    expect(await ask('cat "$1/dd/again"', mountpoint)).toBe("again l3");
    expect(run(["umount", mountpoint]).status).toBe(0);
  });

  it("by a keeper alone, whose state is elsewhere", async () => {
    const { cache, gz } = await filled();
    const [mountpoint, stateDir] = [emptyDir(), join(workDir(), "state")];
    const args = [
      "mount",
      "--driver",
      "fuse",
      "--cache-dir",
      cache,
      "--state-dir",
      stateDir,
      LAYERS[0],
      gz,
      LAYERS[2],
      mountpoint,
    ];
    await shell('sh "$@"', join(dirname(COMMAND), "../../bin/nydusd-ts.mjs"), ...args);
    const { owner, serving } = stateOf(stateDir) ?? { owner: { pid: 0 }, serving: { pid: 0 } };
    const holds = () =>
      readdirSync(`/proc/${owner.pid}/fd`).some((fd) =>
        readlinkSync(`/proc/${owner.pid}/fd/${fd}`).endsWith(".alive"),
      );
    await until(holds, "the keeper has served for a while");
    process.kill(owner.pid, "SIGSTOP");
    process.kill(serving.pid, "SIGKILL");
    // A file whose times were changed would not be opened again.
    expect(run(["cache", "gc", "--cache-dir", cache, "--older-than", "0s"]).status).toBe(0);
    expect(left(cache)).toEqual(["blobs", "images"]);
    process.kill(owner.pid, "SIGCONT");
    expect(await ask('cat "$1/dd/again"', mountpoint)).toBe("again l3");
    expect(run(["umount", mountpoint]).status).toBe(0);
  });

  it("by the kernel", async () => {
    if (NO_KERNEL_DRIVER !== undefined) return;
    const { cache, gz } = await filled();
    const mountpoint = emptyDir();
    expect(kernelMount("erofs", [LAYERS[0], gz, LAYERS[2]], mountpoint, "--cache-dir", cache).status).toBe(0);
    age(cache, 100);
    gc(cache);
    expect(left(cache)).toEqual(["blobs", "images"]);
    expect(run(["umount", mountpoint]).status).toBe(0);
    gc(cache);
    expect(names(cache)).toEqual([]);
  });
});

it("what another version of the builder made is not believed", async () => {
  const { cache, use } = await filled();
  const layers = names(cache).filter((name) => name.startsWith("layers/"));
  for (const name of layers) {
    renameSync(join(cache, name), join(cache, name.replace(/\.v\d+\./, ".v1.")));
    writeFileSync(join(cache, name.replace(/\.v\d+\./, ".")), "of before there were versions");
  }
  const daemon = await use([LAYERS[0]]);
  expect(await daemon.stop()).toBe(0);
  expect(names(cache).filter((name) => layers.includes(name))).toHaveLength(1);
  age(cache, 100);
  gc(cache);
  expect(names(cache)).toEqual([]);
});

it("a mounted image outlives the cache, and is built again without it", async () => {
  const { cache, use } = await filled();
  const daemon = await use();
  rmSync(cache, { recursive: true });
  expect(readFileSync(join(daemon.mountpoint, "dd/again"), "utf8")).toBe("again l3");
  expect(await daemon.stop()).toBe(0);
  const again = await use();
  expect(readFileSync(join(again.mountpoint, "dd/again"), "utf8")).toBe("again l3");
  expect(await again.stop()).toBe(0);
});

it("a spoiled note, bootstrap or tar in the cache is made anew", async () => {
  const { cache, use } = await filled();
  const isWhole = async () => {
    const daemon = await use();
    expect(readFileSync(join(daemon.mountpoint, "dd/again"), "utf8")).toBe("again l3");
    expect(await daemon.stop()).toBe(0);
  };
  for (const name of names(cache).filter((one) => one.startsWith("files/")))
    writeFileSync(join(cache, name), "");
  await isWhole();
});

it.each([
  ["cache gc --older-than soon", /want a number and s, m, h or d: 30d/],
  ["cache", /Usage: nydusd-ts cache/],
  ["cache empty", /unknown command 'empty'|too many arguments/],
])("cache refuses: %s", (words, want) => {
  const { status, stderr } = run(words.split(" "));
  expect(status).toBe(2);
  expect(stderr).toMatch(want);
});
