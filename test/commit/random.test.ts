import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Random } from "../fuzz/random.ts";
import { run, shell } from "../support/daemon.ts";
import { mountWritable } from "./writable.ts";
import { shownAt } from "./shown.ts";

/** Few names, so that things come to lie where others were. */
const NAMES = ["a", "b", "c"];
const OPERATIONS = 60;

function path(random: Random): string {
  const depth = 1 + random.below(3);
  return Array.from({ length: depth }, () => random.pick(NAMES)).join("/");
}

/** Something that people do to files; it may fail, for what it wants is not there. */
function operation(random: Random, i: number): string {
  const [p, q] = [path(random), path(random)];
  const what: readonly string[] = [
    ...[`echo ${i} >${p}`, `echo ${i} >>${p}`, `mkdir -p ${p}`, `mkdir -p ${p}`, `echo ${i} >${p}`],
    ...[`rm -rf ${p}`, `rm -rf ${p}`, `mv -T ${p} ${q}`, `mv -T ${p} ${q}`, `ln -T ${p} ${q}`],
    ...[
      `chmod ${random.below(0o1000).toString(8)} ${p}`,
      `chown ${i} ${p}`,
      `ln -s ${i} ${p}`,
      `mknod ${p} c 1 3`,
    ],
    ...[`setfattr -n user.n -v ${i} ${p}`, `touch -d @${1_500_000_000 + i}.${i} ${p}`, `cp -aT ${p} ${q}`],
  ];
  return `{ ${random.pick(what)}; } 2>/dev/null || :`;
}

const operations = (random: Random): string =>
  Array.from({ length: OPERATIONS }, (_, i) => operation(random, i)).join("\n");

describe("random changes above a random layer", () => {
  for (const [i, mode] of ["", "redirect_dir=on,metacopy=on", "redirect_dir=nofollow"].entries())
    it.each([1, 2, 3].map((seed) => 3 * seed + i))(
      `make a layer that shows them again (${mode} %i)`,
      async (seed) => {
        const random = new Random(seed);
        const mount = await mountWritable(operations(random), { mode });
        await shell(`cd "$1"\n${operations(random)}`, mount.mountpoint);
        const want = shownAt(mount.mountpoint);
        const layer = join(mount.dir, "layer.tar");
        expect(run(["commit", mount.mountpoint, "-o", layer]).status).toBe(0);
        mount.unmount();
        expect(shownAt(mount.show([mount.base, layer]))).toEqual(want);
      },
    );
});
