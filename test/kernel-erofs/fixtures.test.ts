import { describe, expect, it } from "vitest";
import { mountAt } from "../../src/mounts/table.ts";
import { blobFlags, emptyDir, isMounted, mentioning, run } from "../support/daemon.ts";
import { fixture, fixtureNames } from "../support/image.ts";
import { copyOf, KERNEL_DRIVERS, kernelMount, loopsGone } from "../support/kernel.ts";
import { dumpTree, sorted } from "../support/tree.ts";

const served = fixtureNames.filter((name) => fixture(name).entries.length > 0);

it("finds the fixtures", () => expect(served.length).toBe(16));

describe.each(KERNEL_DRIVERS)("--driver %s shows what is expected", (driver) => {
  it.each(served)("%s", async (name) => {
    const { entries } = fixture(name);
    const { dir, path, devices } = copyOf(name);
    const mountpoint = emptyDir();
    const { status, stdout, stderr } = kernelMount(driver, [path], mountpoint, ...blobFlags(devices));
    const backing = driver.slice("erofs-".length);
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining("INFO driver erofs: ") });
    expect(stdout).toMatch(
      new RegExp(
        `^ready image=${path} mountpoint=${mountpoint} inodes=\\d+ blobs=\\d+ driver=erofs backing=${backing} ms=\\d+\n$`,
      ),
    );
    expect(mentioning(mountpoint)).toEqual([]);
    expect(mountAt(mountpoint)?.type).toBe("erofs");
    expect(mountAt(mountpoint)?.source).toBe(path);
    expect(sorted(dumpTree(mountpoint))).toEqual(sorted(entries));
    expect(run(["umount", mountpoint])).toMatchObject({ status: 0, stdout: `${mountpoint}: unmounted\n` });
    expect(isMounted(mountpoint)).toBe(false);
    await loopsGone(dir);
  });
});
