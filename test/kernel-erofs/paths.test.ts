import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, run, sh, workDir } from "../support/daemon.ts";
import { KERNEL_DRIVERS, kernelMount, loopsBelow, loopsGone } from "../support/kernel.ts";

/** Everything that an option string would take for something else, and more than fits in one page of them. */
const ODD = "a,b c:d\\e=f,device=x 'q\" \u00e9\u4e2d ".padEnd(180, "long");

/** Layers of one file each, in a directory of an odd name. */
function layers(dir: string, count: number): string[] {
  sh(
    `mkdir -p "$D"; cd "$D"
     for i in $(seq ${count}); do echo "layer $i" >"f$i"; tar -cf "l, $i.tar" "f$i"; rm "f$i"; done`,
    { D: dir },
  );
  return Array.from({ length: count }, (_, i) => join(dir, `l, ${i + 1}.tar`));
}

describe.each(KERNEL_DRIVERS)("--driver %s", (driver) => {
  it.each([70, 254])("mounts %d blobs whose paths are long and odd", async (count) => {
    const dir = workDir();
    const tars = layers(join(dir, ODD), count);
    const mountpoint = join(dir, ODD, "mount, point");
    mkdirSync(mountpoint);
    const made = kernelMount(driver, tars, mountpoint, "--cache-dir", join(dir, ODD, "cache"));
    expect(made).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(` blobs=${count} driver=erofs `),
    });
    expect(loopsBelow(dir).length).toBe(driver === "erofs-loop" ? count + 1 : 0);
    const want = Array.from({ length: count }, (_, i) => `layer ${i + 1}\n`).sort();
    const found = (await ask('cat "$1"/f*', mountpoint)).split(/(?<=\n)/).filter(Boolean);
    expect(found.sort()).toEqual(want);
    expect(run(["umount", mountpoint]).status).toBe(0);
    await loopsGone(dir);
  });
});
