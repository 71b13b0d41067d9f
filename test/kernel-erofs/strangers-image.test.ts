import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { mountAt } from "../../src/mounts/table.ts";
import { blobFlags, emptyDir, run, sh, start } from "../support/daemon.ts";
import { copyOf, KERNEL_DRIVERS, kernelMount, NO_KERNEL_DRIVER } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";

const LIST =
  'cd "$D"; find . -printf "%P %m %s %l\\n" | sort; find . -type f -size -64k -exec sha256sum {} + | sort';
const list = (dir: string) => sh(LIST, { D: dir });

const FLAT = "13-export-disk";

describe.each(KERNEL_DRIVERS)("--driver %s of an image that others may write", (driver) => {
  it.each([
    ["a stranger's", 'chown 65534 "$F"'],
    ["a group's", 'chgrp 65534 "$F"; chmod 664 "$F"'],
    ["everybody's", 'chmod 666 "$F"'],
  ])("shows what was checked, whatever becomes of the file: %s", async (_, make) => {
    const { path, devices } = copyOf("12-merged");
    const first = emptyDir();
    expect(kernelMount(driver, [path], first, ...blobFlags(devices)).status).toBe(0);
    const want = list(first);
    expect(run(["umount", first]).status).toBe(0);
    sh(make, { F: path });
    const mountpoint = emptyDir();
    expect(kernelMount(driver, [path], mountpoint, ...blobFlags(devices)).status).toBe(0);
    writeFileSync(path, Buffer.alloc(readFileSync(path).length));
    expect(list(mountpoint)).toBe(want);
    expect(mountAt(mountpoint)?.source).toBe(path);
    expect(run(["umount", mountpoint]).status).toBe(0);
  });
});

describe("an image with its data in it, which others may write", () => {
  needs(NO_KERNEL_DRIVER);

  it("is left to FUSE, and the reason is said", async () => {
    const { path } = copyOf(FLAT);
    sh('chown 65534 "$F"', { F: path });
    const reason = `${path} belongs to user 65534: the kernel would read what nobody has checked`;
    const daemon = await start([], emptyDir(), ["mount", path]);
    expect(daemon.output()).toMatch(`INFO driver fuse: ${reason}\n`);
    expect(await daemon.stop()).toBe(0);
    const { status, stderr } = kernelMount("erofs", [path], emptyDir());
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining(`Error: --driver erofs: ${reason}\n`),
    });
  });
});
