import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ctl, type Managed, startManaged } from "../support/api.ts";
import { ask, workDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";
import { startEmpty, versions } from "../support/submounts.ts";
import { words } from "../support/words.ts";

/** nydus's own client, in $NYDUSCTL or on the PATH. */
const NYDUSCTL = process.env["NYDUSCTL"] ?? "nydusctl";
const isThere = spawnSync(NYDUSCTL, ["--version"]).status === 0;
needs(isThere ? undefined : "there is no genuine nydusctl on PATH");

const both = async ({ sock }: Managed, line: string) => {
  const args = ["-S", sock, ...line.split(" ")];
  return [await ctl(args), await ctl(args, [NYDUSCTL])] as const;
};
/** Without what is said otherwise on purpose: labels of classes, the id, and an average of nothing. */
const plain = (text: string) =>
  text
    .replace(/ +$/gm, "")
    .replaceAll("NaN", "0")
    .replace(/Time: .*|^Id: .*\n/gm, "")
    .replace(/Read Latency:.*/, "")
    .trim();

it.each(["direct", "fuse-native"])("nydus's own client reads the management API, %s", async (transport) => {
  const daemon = await startManaged("04-large", "--id", "me", "--transport", transport);
  await ask('cat "$1/m1p1" >/dev/null', daemon.mountpoint);
  for (const line of ["info", "metrics fsstats", "metrics backend", "metrics cache", "set log-level debug"]) {
    const [ours, theirs] = await both(daemon, line);
    expect({ line, ...theirs, stdout: plain(theirs.stdout) }).toEqual({
      line,
      ...ours,
      stdout: plain(ours.stdout),
    });
    expect(theirs.status).toBe(0);
  }
  const json = (text: string): unknown => JSON.parse(text);
  for (const line of ["info", "metrics backend", "metrics cache"]) {
    const [ours, theirs] = await both(daemon, `--raw ${line}`);
    expect(json(theirs.stdout)).toEqual(json(ours.stdout));
  }
  const [, refused] = await both(daemon, "set log-level bogus");
  expect(refused.stdout + refused.stderr).toContain("ResponsePayloadType");
  expect(await daemon.stop()).toBe(0);
});

it("nydus's own client mounts and unmounts", async () => {
  const image = await versions("echo one >f");
  const daemon = await startEmpty();
  const config = join(workDir(), "config.json");
  const device = { backend: { type: "localfs", config: { dir: image.dir } }, cache: { type: "blobcache" } };
  writeFileSync(config, JSON.stringify({ device, mode: "direct" }));
  const theirs = (line: readonly string[]) => ctl(["-S", daemon.sock, ...line], [NYDUSCTL]);
  const line = words`mount -s ${image.boots[0]} -c ${config} -m /a -t rafs`;
  expect(await theirs(line)).toMatchObject({ status: 0 });
  expect(await ask('cat "$1/a/f"', daemon.mountpoint)).toBe("one\n");
  const again = await theirs(line);
  expect(again.stdout + again.stderr).toContain("already exists");
  expect((await theirs(["info"])).stdout).toContain("Instance Mountpoint:  /a");
  // 2.2.0 says -m and takes it for none.
  const umount = await theirs(["umount", "-m", "/a"]);
  expect(umount.status === 0 ? umount : await theirs(["umount", "/a"])).toMatchObject({ status: 0 });
  expect(await ask('ls -A "$1"', daemon.mountpoint)).toBe("");
  expect(await daemon.stop()).toBe(0);
});
