import { cpSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HeldFiles } from "../../src/blob/held-files.ts";
import { openImage } from "../../src/fs/open-image.ts";
import { backedByFiles } from "../../src/kernel-erofs/backing.ts";
import { kernelOptions } from "../../src/kernel-erofs/options.ts";
import { proveMount } from "../../src/kernel-erofs/prove.ts";
import { ask, emptyDir, mountErofs, sh, start, workDir } from "../support/daemon.ts";
import { fixture, placesOf } from "../support/image.ts";
import { ABSENT, kernelMount } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";

const MERGED = fixture("12-merged");
const opened = (name: string) => {
  const { path, devices } = fixture(name);
  return openImage(path, placesOf(devices));
};

describe("what the kernel shows is compared with the image", () => {
  needs(ABSENT["erofs-file"]);
  const [first, second, third] = MERGED.devices;
  it("and is right", () => {
    const root = emptyDir();
    mountErofs(MERGED.path, MERGED.devices, root);
    expect(() => proveMount(root, opened("12-merged"))).not.toThrow();
  });

  it.each([
    ["first and second", [second, first, third]],
    ["second and third", [first, third, second]],
    ["first and third", [third, second, first]],
  ])("so devices in a wrong order are found: %s", (_, devices) => {
    const root = emptyDir();
    mountErofs(MERGED.path, devices, root);
    expect(() => proveMount(root, opened("12-merged"))).toThrow(/the kernel shows other bytes|EIO/);
  });

  it("so another image is found", () => {
    const root = emptyDir();
    mountErofs(fixture("22-erofs-chunk-blockmap").path, [], root);
    expect(() => proveMount(root, opened("12-merged"))).toThrow(/^the root's \w+ is \d+, the image has \d+$/);
  });
});

/** An image in a directory of its own, held open. */
function held() {
  const dir = workDir();
  const { path, devices } = fixture("04-large");
  const own = { path: join(dir, "image"), tar: join(dir, "tar") };
  cpSync(path, own.path);
  cpSync(devices[0], own.tar);
  return {
    ...own,
    hold: () => {
      const image = openImage(own.path, placesOf([own.tar]));
      return { ...image, files: new HeldFiles().hold(image.files) };
    },
  };
}

it("a bootstrap that was replaced after the check is noticed", () => {
  const { path, hold } = held();
  const backed = backedByFiles(hold(), path);
  expect(backed.source).toBe(path);
  expect(() => backed.verify(backed.source)).not.toThrow();
  cpSync(path, `${path}.new`);
  renameSync(`${path}.new`, path);
  expect(() => backed.verify(backed.source)).toThrow(`${path}: another file than the one that was checked`);
});

it("a path too long for mount(2) is given as /proc/self/fd", () => {
  const { hold } = held();
  const image = hold();
  const backed = backedByFiles(image, `/${"x".repeat(255)}`);
  expect(backed.source).toBe(`/proc/self/fd/${image.files[0].fd}`);
  expect(() => backed.verify(backed.source)).not.toThrow();
});

it("a tar that ends inside a block is left to FUSE", async () => {
  const dir = workDir();
  const tar = join(dir, "cut.tar");
  sh('cd "$D"; seq 1000 | head -c 700 >f; tar -c f | head -c 1212 >cut.tar', { D: dir });
  const cache = ["--cache-dir", join(dir, "cache")];
  const why = `${tar}: 1212 bytes are no whole number of blocks, the kernel could not read the last 188`;
  expect(kernelMount("erofs", [tar], emptyDir(), ...cache)).toEqual({
    ...{ status: 1, stdout: "", stderr: `Error: --driver erofs: ${why}\n` },
  });
  const daemon = await start(cache, emptyDir(), ["mount", tar]);
  expect(daemon.output()).toContain(`INFO driver fuse: ${why}\n`);
  expect(await ask('cmp "$1/f" "$2/f"', daemon.mountpoint, dir)).toBe("");
  expect(await daemon.stop()).toBe(0);
});

describe("mount options", () => {
  it.each<[words: string[], attributes: number, parameters: string[][]]>([
    [[], 0x1 | 0x2 | 0x4 | 0x10, []],
    [["suid", "dev"], 0x1 | 0x10, []],
    [["suid", "nosuid"], 0x1 | 0x2 | 0x4 | 0x10, []],
    [["atime"], 0x1 | 0x2 | 0x4, []],
    [["strictatime"], 0x1 | 0x2 | 0x4 | 0x20, []],
    [["ro", "noexec"], 0x1 | 0x2 | 0x4 | 0x8 | 0x10, []],
    [["dax=never", "noacl", "exec"], 0x1 | 0x2 | 0x4 | 0x10, [["dax", "never"], ["noacl"]]],
  ])("%j", (words, attributes, parameters) => {
    expect(kernelOptions(words)).toEqual({ attributes, parameters });
  });
});
