import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { ask, COMMAND, emptyDir, isMounted, launch, shell, start, until } from "../support/daemon.ts";
import { memoryLimit } from "../support/memory-limit.ts";
import { tarImage } from "../support/tar-image.ts";

const MIB = 1 << 20;
/** Walkers, readers past the cache, readers through it, all at once. */
const LOAD = `cd "$1"; for i in 1 2 3 4; do
  find . -ls >/dev/null & diff -r . "$2" &
  dd if=big iflag=direct bs=1M status=none | cmp - "$2/big" & done; wait`;
const make = () =>
  tarImage("head -c 40000000 /dev/urandom >big; for i in $(seq 1500); do echo $i >f$i; done");

/** A daemon that is in the group before it begins. */
async function limited(procs: string, flags: readonly string[]) {
  const mountpoint = emptyDir();
  const script = 'echo $$ >"$1"; shift; exec "$@"';
  const child = launch("bash", [
    "-c",
    script,
    "bash",
    procs,
    process.execPath,
    COMMAND,
    "-M",
    mountpoint,
    ...flags,
  ]);
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  await until(
    () => said.includes("ready ") || child.exitCode !== null || child.signalCode !== null,
    "the ready line",
  );
  return { mountpoint, child, isReady: said.includes("ready ") };
}

it("160 MiB by control group, page cache included: everything is served", async (test) => {
  const image = make();
  const limit = memoryLimit(test, "served", 160 * MIB);
  const { mountpoint, child, isReady } = await limited(limit.procs, image.flags);
  expect(isReady).toBe(true);
  expect(await ask(LOAD, mountpoint, image.source)).toBe("");
  child.kill("SIGTERM");
  await until(() => child.exitCode !== null, "the end");
  console.log(`most memory: ${Math.round((limit.peak() ?? 0) / MIB)} MiB`);
  expect([child.exitCode, isMounted(mountpoint)]).toEqual([0, false]);
});

it("12 MiB by control group: the daemon serves or is killed, and the next one mounts there", async (test) => {
  const image = make();
  const limit = memoryLimit(test, "killed", 12 * MIB);
  const { mountpoint, child, isReady } = await limited(limit.procs, image.flags);
  const isRight = isReady && (await shell('cmp "$1/f7" "$2/f7"', mountpoint, image.source)).status === 0;
  console.log(isRight ? "served" : `ended: ${child.signalCode ?? child.exitCode}`);
  child.kill("SIGKILL");
  await until(() => child.exitCode !== null || child.signalCode !== null, "the end");
  const next = await start(image.flags, mountpoint);
  expect(await ask('cmp "$1/f7" "$2/f7"; echo same', mountpoint, image.source)).toBe("same\n");
  expect(await next.stop()).toBe(0);
  expect(readdirSync(mountpoint)).toEqual([]);
});
