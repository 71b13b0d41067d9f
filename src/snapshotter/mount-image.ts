import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { OperationalError } from "../bytes/errors.ts";
import type { Backing } from "../kernel-erofs/backing.ts";
import { BACKINGS, type Driver } from "../mounts/drivers.ts";
import type { ImageMounted, ImageTask } from "./image-thread.ts";

const run = promisify(execFile);
/** For a daemon to serve an image. */
const FUSE_MS = 60_000;

/** How images are mounted. */
export interface MountMeans {
  readonly driver: Driver;
  /** The program `nydusd-ts`, which serves by FUSE what the kernel does not mount; a fragment is the first word to it. */
  readonly program: URL;
}

export type ImageFiles = Omit<ImageTask, "backings">;

/** By what an image is mounted, and why not by the kernel. */
export interface MountedBy {
  readonly by: Backing | "fuse";
  readonly reason?: string;
}

/** A bootstrap that is to be made anew. */
export class DamagedBootstrap extends OperationalError {}

/**
 * Mounts an image by the kernel's EROFS, or else by a daemon.
 *
 * @throws DamagedBootstrap, OperationalError: nothing is mounted then
 */
export async function mountImage(files: ImageFiles, { driver, program }: MountMeans): Promise<MountedBy> {
  if (driver === "fuse") return { by: await byFuse(files, program) };
  const mounted = await inThread({ ...files, backings: BACKINGS[driver] });
  if ("backing" in mounted) return { by: mounted.backing };
  if (mounted.isDamaged) throw new DamagedBootstrap(mounted.problem);
  if (driver !== "auto") throw new OperationalError(`${files.bootstrap}: ${mounted.problem}`);
  return { by: await byFuse(files, program), reason: mounted.problem };
}

/** Checks an image: that is known, then, when it is mounted. */
export const lookAt = (files: ImageFiles): Promise<ImageMounted> => inThread({ ...files, backings: [] });

/** @throws DamagedBootstrap when that is why the daemon does not serve it; OperationalError */
async function byFuse(files: ImageFiles, program: URL): Promise<"fuse"> {
  try {
    await mountByFuse(files, program);
    return "fuse";
  } catch (error) {
    const looked = await lookAt(files);
    throw "isDamaged" in looked && looked.isDamaged ? new DamagedBootstrap(looked.problem) : error;
  }
}

function inThread(workerData: ImageTask): Promise<ImageMounted> {
  return new Promise((resolve, reject) => {
    // Descriptors of mounts are not Node's, which would warn of each that is closed.
    const options = { workerData, trackUnmanagedFds: false };
    const thread = new Worker(new URL("./image-thread.js", import.meta.url), options);
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", (status) => reject(new OperationalError(`a thread ended with status ${status}`)));
  });
}

/** The daemon outlives this process, and has a keeper of its own. */
async function mountByFuse({ bootstrap, blobDir, mountpoint }: ImageFiles, program: URL): Promise<void> {
  const [path, first] = [fileURLToPath(program), program.hash.slice(1)];
  const words = [
    ...(first === "" ? [] : [first]),
    "mount",
    "--driver",
    "fuse",
    "--blob-dir",
    blobDir,
    bootstrap,
    mountpoint,
  ];
  try {
    await run(path, words, { timeout: FUSE_MS });
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? `${error.stderr}`.trim() : "";
    throw new OperationalError(`${bootstrap}: ${said || error}`);
  }
}
