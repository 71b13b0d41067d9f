import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { tarOf } from "../mkfs/emit.ts";
import { build } from "../mkfs/support.ts";
import { mountErofs, sh, workDir } from "../support/daemon.ts";
import { nodeAt, serve } from "../support/image.ts";
import { NO_KERNEL_DRIVER } from "../support/kernel.ts";
import { entry } from "../tar/emit.ts";

const GIB = 2 ** 30;

it("a flattened image of 6 GiB shows what lies behind 4 GiB of it, as the kernel does", async () => {
  const dir = workDir();
  const tar = join(dir, "layer.tar");
  const far = 5 * GIB;
  const fd = openSync(tar, "w");
  const put = (bytes: Uint8Array, at: number) => writeSync(fd, bytes, 0, bytes.length, at);
  put(entry({ name: "filler", size: far - 512 }), 0);
  put(tarOf([{ name: "f", data: "far away" }]), far);
  ftruncateSync(fd, far + 2048);
  closeSync(fd);
  const flat = join(dir, "flat");
  await build(tar, { bootstrap: flat, blobId: "layer.tar" });
  const unified = readFileSync(flat).readUInt32LE(1408 + 68) * 512;
  const out = openSync(flat, "r+");
  const data = tarOf([{ name: "f", data: "far away" }]);
  writeSync(out, data, 0, data.length, unified + far);
  ftruncateSync(out, unified + far + 2048);
  closeSync(out);

  if (NO_KERNEL_DRIVER === undefined) {
    const root = join(dir, "root");
    sh('mkdir "$D"', { D: root });
    mountErofs(flat, [], root);
    expect(readFileSync(join(root, "f"), "latin1")).toBe("far away");
  }
  const { fs } = serve(flat, { dirs: [], files: new Map() });
  const found = Buffer.alloc(8);
  expect(fs.read(nodeAt(fs, "f"), 0, 8, found, 0)).toBe(8);
  expect(found.toString()).toBe("far away");
});
