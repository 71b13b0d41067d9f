import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sh, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { smallDisk } from "../support/small-disk.ts";
import { blobsOf, COMMAND, image } from "./exported.ts";

/** As a URL: NODE_OPTIONS is split at blanks. */
const PRELOAD = new URL("../support/broken-off.mjs", import.meta.url).href;
const WAYS = ["", "--verity", "--verity-only", "--block-size 4096"];
const { path: BOOT, devices } = fixture("04-large");
/** Sizes of disks, the last of which is large enough. */
const SIZES = 12;

/** Exports a fixture to `disk` in a directory, with a word to what is loaded into the exporter. */
function broken(dir: string, flags: readonly string[], env: NodeJS.ProcessEnv) {
  const args = ["export", "--block", "-B", BOOT, ...blobsOf(devices), "-O", join(dir, "disk"), ...flags];
  return spawnSync(process.execPath, [COMMAND, ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env, NODE_OPTIONS: `--import=${PRELOAD}` },
  });
}

/** What nobody breaks off. */
function whole(flags: readonly string[]): Buffer {
  const disk = join(workDir(), "disk");
  expect(image("export", "--block", "-B", BOOT, ...blobsOf(devices), "-O", disk, ...flags).status).toBe(0);
  return readFileSync(disk);
}

describe.each(WAYS)("an export %s that is broken off", (way) => {
  const flags = way.split(" ").filter((word) => word !== "");

  it("by a full disk, of whatever size: says so, and leaves what was there", () => {
    const want = whole(flags);
    let full = 0;
    const step = Math.ceil(want.length / (SIZES - 2) / 4096) * 4;
    for (let i = 1; i <= SIZES; i++) {
      const dir = smallDisk("tmpfs", i * step, "echo old >disk");
      const { status, stderr } = broken(dir, flags, { NYDUSD_TS_ROOM: "1" });
      if (status === 0) expect(readFileSync(join(dir, "disk")).equals(want)).toBe(true);
      else {
        full++;
        expect([status, stderr]).toEqual([1, expect.stringMatching(/disk: ENOSPC/)]);
        expect(readFileSync(join(dir, "disk"), "utf8")).toBe("old\n");
      }
      expect(readdirSync(dir).sort()).toEqual(["disk", "filler"]);
      sh('umount "$D"', { D: dir });
    }
    expect(full).toBeGreaterThan(SIZES / 2);
    expect(full).toBeLessThan(SIZES);
  });

  it("by SIGKILL, at any step: the old file or the new one", () => {
    const dir = join(workDir(), "out");
    mkdirSync(dir);
    const steps = join(dir, "../steps");
    expect(broken(dir, flags, { NYDUSD_TS_STEPS_TO: steps }).status).toBe(0);
    const want = readFileSync(join(dir, "disk"));
    const all = Number(readFileSync(steps, "utf8"));
    expect(all).toBeGreaterThan(4);
    // All first and last ones, of those between some.
    for (let step = 1; step <= all; step += step < 8 || step > all - 8 ? 1 : 7) {
      sh('rm -rf "$D"; mkdir "$D"; echo old >"$D/disk"', { D: dir });
      expect(broken(dir, flags, { NYDUSD_TS_STEP: String(step) }).signal).toBe("SIGKILL");
      const found = readFileSync(join(dir, "disk"));
      expect(found.equals(want) || found.toString() === "old\n").toBe(true);
      expect(broken(dir, flags, {}).status).toBe(0);
      expect(readdirSync(dir)).toEqual(["disk"]);
      expect(readFileSync(join(dir, "disk")).equals(want)).toBe(true);
    }
    expect(statSync(join(dir, "disk")).size).toBe(want.length);
  });
});
