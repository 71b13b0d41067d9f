import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

/** `nydus-image-ts`. */
export const COMMAND = fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url));

export const image = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
};

export const blobsOf = (devices: readonly string[]) =>
  devices.flatMap((path, i) => ["--blob", `${i + 1}=${path}`]);

/** Of a disk, which needs nothing else. */
export const none = { dirs: [], files: new Map() };

/** Exports a fixture. */
export function exported(name: string, ...args: string[]) {
  const { path, devices } = fixture(name);
  const disk = join(workDir(), "disk");
  const { status, stdout, stderr } = image(
    ...["export", "--block", "-B", path, ...blobsOf(devices), "-O", disk, ...args],
  );
  expect([status, stderr]).toEqual([0, ""]);
  return { disk, stdout };
}
