import { chmodSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { forgetUnmounted, kernelMountFiles } from "../../src/daemon/kernel-mounts.ts";
import type { MountEntry } from "../../src/mounts/table.ts";
import { workDir } from "../support/daemon.ts";

const mount = (device: string, source: string): MountEntry => ({
  ...{ id: 40, parent: 1, device, mountpoint: "/mnt", type: "erofs", source, options: "ro" },
});

/** A state directory with a note of each mount. */
function notes(...mounts: MountEntry[]) {
  const dir = workDir();
  chmodSync(dir, 0o700);
  const namespace = readlinkSync("/proc/self/ns/mnt");
  const note = ({ device, source }: MountEntry) =>
    writeFileSync(
      join(dir, `${source}.mounted`),
      JSON.stringify({ namespace, device, source, since: 1, files: [`1:${source}`] }),
    );
  mounts.forEach(note);
  return { dir, note };
}

const [there, gone, fresh] = [mount("0:41", "2"), mount("0:42", "3"), mount("0:43", "4")];

it("only what is not mounted any more is forgotten", () => {
  const { dir } = notes(there, gone);
  forgetUnmounted(dir, () => [there]);
  expect(readdirSync(dir)).toEqual(["2.mounted"]);
});

it("a mount that is made and noted meanwhile is neither forgotten nor taken for unused", () => {
  const { dir, note } = notes(there);
  // Whoever asks for the mounts first, and for the notes then, has one without a mount.
  const before = () => {
    note(fresh);
    return [there];
  };
  forgetUnmounted(dir, before);
  expect(readdirSync(dir).sort()).toEqual(["2.mounted", "4.mounted"]);
  expect(kernelMountFiles(dir, () => [there, fresh]).sort()).toEqual(["1:2", "1:4"]);
});

it("what was mounted again on the device number of another is noted beside it", () => {
  const { dir } = notes(there, { ...gone, device: there.device });
  expect(kernelMountFiles(dir, () => [there])).toEqual(["1:2"]);
});
