import { join } from "node:path";
import { expect, it } from "vitest";
import { ask, run, sh } from "../support/daemon.ts";
import { mountWritable, type Writable } from "./writable.ts";

/** Makes directories in one another, each by its name alone: no path to them is ever said. */
const dive = (depth: number, name: string) =>
  `python3 -c 'import os,sys
os.chdir(sys.argv[1])
for _ in range(${depth}): os.mkdir("${name}"); os.chdir("${name}")' "$1"`;

/** By a program that goes by descriptors: Node's own removing does not get there. */
function remove({ unmount, upper }: Writable): void {
  unmount();
  sh('rm -rf "$U/.."/*', { U: upper });
}

it("goes as deep as a path leads", async () => {
  const mount = await mountWritable("touch a");
  await ask(dive(2040, "d"), mount.mountpoint);
  const layer = join(mount.dir, "layer.tar");
  expect(run(["commit", mount.mountpoint, "-o", layer])).toMatchObject({ status: 0, stderr: "" });
  expect(sh('tar tf "$L" | tail -n 1', { L: layer })).toBe(`${"d/".repeat(2040)}\n`);
  remove(mount);
});

it("refuses what no path leads to, before it has written much", async () => {
  const mount = await mountWritable("touch a");
  await ask(dive(300, "d".repeat(200)), mount.mountpoint);
  const { status, stderr } = run(["commit", mount.mountpoint, "-o", join(mount.dir, "layer.tar")]);
  remove(mount);
  const path = "d".repeat(100);
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: `Error: ${path}…: no layer can have it: its path is longer than 4095 bytes\n`,
  });
});
