import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { processState } from "../../src/proc/processes.ts";
import { claimChanges, claimMountpoint } from "../../src/seed/claim.ts";
import { scratchDir } from "../support/image.ts";

/** A directory to mount on, one for claims, and the file of the claim. */
function places(): { mountpoint: string; dir: string; file: string } {
  const mountpoint = scratchDir();
  const dir = join(scratchDir(), "state");
  const { dev, ino } = statSync(mountpoint);
  return { mountpoint, dir, file: join(dir, `mounting-${dev}-${ino}`) };
}

describe("a mountpoint is claimed by one process at a time", () => {
  it("is refused to the second, and free when the first lets go, with nothing left", () => {
    const { mountpoint, dir } = places();
    const claim = claimMountpoint(mountpoint, "m", dir);
    expect(() => claimMountpoint(mountpoint, "m", dir)).toThrow(
      `mountpoint m: process ${process.pid} is about to mount on it`,
    );
    claim.release();
    expect(readdirSync(dir)).toEqual([]);
    claimMountpoint(mountpoint, "m", dir).release();
  });

  it("is no claim of the changes that may be kept there, which one process has at a time, too", () => {
    const { mountpoint, dir } = places();
    const claims = [claimMountpoint(mountpoint, "m", dir), claimChanges(mountpoint, dir)];
    expect(() => claimChanges(mountpoint, dir)).toThrow(
      `--rw ${mountpoint}: process ${process.pid} is about to keep changes in it`,
    );
    for (const claim of claims) claim.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  const dead: [what: string, text: string][] = [
    ["of a process that is gone", JSON.stringify({ ...processState(process.pid), started: 1 })],
    ["of nothing that can be read", "{"],
  ];
  it.each(dead)("a claim %s does not count", (_, text) => {
    const { mountpoint, dir, file } = places();
    mkdirSync(dir);
    writeFileSync(file, text);
    const claim = claimMountpoint(mountpoint, "m", dir);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(processState(process.pid));
    claim.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it("asks no one where nothing can be written", () => {
    const { mountpoint } = places();
    const file = join(scratchDir(), "file");
    writeFileSync(file, "");
    claimMountpoint(mountpoint, "m", join(file, "state")).release();
    claimMountpoint(mountpoint, "m", "/proc/none").release();
  });

  it.each([
    ["that every user may write to", (dir: string) => chmodSync(dir, 0o777)],
    ["of a stranger", (dir: string) => chownSync(dir, 65534, 65534)],
  ])("asks no one in a directory %s, and writes through no link that waits there", (_, make) => {
    const { mountpoint, dir } = places();
    const victim = join(scratchDir(), "victim");
    writeFileSync(victim, "precious");
    mkdirSync(dir);
    symlinkSync(victim, join(dir, `claim-${process.pid}-${statSync(mountpoint).ino}`));
    make(dir);
    const before = readdirSync(dir);
    claimMountpoint(mountpoint, "m", dir).release();
    expect(readFileSync(victim, "utf8")).toBe("precious");
    expect(readdirSync(dir)).toEqual(before);
  });

  it("clears what others have left, and nothing of those that live", () => {
    const { mountpoint, dir } = places();
    mkdirSync(dir);
    writeFileSync(join(dir, "mounting-1-2"), JSON.stringify({ ...processState(process.pid), started: 1 }));
    writeFileSync(join(dir, "mounting-3-4"), JSON.stringify(processState(process.pid)));
    writeFileSync(join(dir, "7-9.state"), "{}");
    claimMountpoint(mountpoint, "m", dir).release();
    expect(readdirSync(dir)).toEqual(["7-9.state", "mounting-3-4"]);
  });
});
