import { closeSync, existsSync, openSync, readFileSync, statSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { locateBlob } from "../src/blob/locate.ts";
import { readTables } from "../src/erofs/open.ts";
import { isExecutable, which } from "./processes.ts";

/** The image under measure, and a directory for what a system needs beside it. */
export interface BenchImage {
  readonly bootstrap: string;
  readonly blobDir: string;
  /** In the order of the device table, which is the order `device=` wants. */
  readonly blobs: readonly { readonly id: string; readonly path: string }[];
  readonly workDir: string;
}

/** Programs that the command line may name. */
export interface Tools {
  readonly load: string;
  readonly ts?: string | undefined;
  readonly tsFlags: readonly string[];
  readonly nydusd?: string | undefined;
  readonly erofsfuse?: string | undefined;
}

export interface System {
  readonly name: string;
  /** A command that mounts: a daemon in the foreground, or one that ends once it has mounted. */
  readonly command: (mountpoint: string) => readonly string[];
  readonly isDaemon: boolean;
}

/** How to set a system up, or a sentence saying why it is not here. */
export type Setup = (image: BenchImage, tools: Tools) => Promise<System | string>;

const THREADS = "4";

export const nydusdTs =
  (name: string, more: readonly string[]): Setup =>
  async (image, { ts, tsFlags }) => {
    const built = fileURLToPath(new URL("../../bin/nydusd-ts.mjs", import.meta.url));
    if (!existsSync(ts ?? built)) return `${ts ?? built} is not there: build it`;
    const program = ts === undefined ? [built] : [process.execPath, ts];
    const where = ["--bootstrap", image.bootstrap, "--blob-dir", image.blobDir, "--mountpoint"];
    const flags = [...more, ...tsFlags];
    return { name, isDaemon: true, command: (m) => [...program, ...where, m, ...flags] };
  };

const fuseNative: Setup = async (image, tools) => {
  try {
    createRequire(import.meta.url).resolve("fuse-native");
  } catch {
    return "the package is not installed";
  }
  return nydusdTs("fuse-native", ["--transport", "fuse-native"])(image, tools);
};

/** Genuine nydusd opens `<work_dir>/<blob id>`: links in a directory of ours keep what it writes out of others'. */
export const nydusd =
  (name: string, prefetchFiles?: string): Setup =>
  async (image, tools) => {
    const program = tools.nydusd ?? which("nydusd");
    if (program === undefined || !isExecutable(program)) return "no nydusd; name it with --nydusd";
    const dir = join(image.workDir, name);
    await mkdir(dir);
    for (const { id, path } of image.blobs) await symlink(path, join(dir, id));
    const backend = { type: "localfs", config: { dir } };
    const cache = { type: "blobcache", config: { work_dir: dir } };
    const config = {
      device: { backend, cache },
      mode: "direct",
      digest_validate: false,
      enable_xattr: true,
      fs_prefetch: { enable: prefetchFiles !== undefined, prefetch_all: false },
    };
    const file = join(dir, "config.json");
    await writeFile(file, JSON.stringify(config));
    // Without --rlimit-nofile 0 it ends with EPERM where CAP_SYS_RESOURCE is missing.
    const flags = ["--rlimit-nofile", "0", "--thread-num", THREADS, "--log-level", "warn"];
    if (prefetchFiles !== undefined) flags.push("--prefetch-files", prefetchFiles);
    const where = ["--config", file, "--bootstrap", image.bootstrap, "--mountpoint"];
    return { name, isDaemon: true, command: (m) => [program, "fuse", ...where, m, ...flags] };
  };

/** mount(2) itself: mount(8) would put a loop device between. */
export const erofs: Setup = async (image, { load }) => {
  if (!/\terofs$/m.test(readFileSync("/proc/filesystems", "utf8"))) return "the kernel has no EROFS";
  const options = image.blobs.map(({ path }) => `device=${path}`).join(",");
  return { name: "erofs", isDaemon: false, command: (m) => [load, "mount", image.bootstrap, m, options] };
};

const erofsfuse: Setup = async (image, tools) => {
  const program = tools.erofsfuse ?? which("erofsfuse");
  if (program === undefined || !isExecutable(program)) return "no erofsfuse; name it with --erofsfuse";
  const devices = image.blobs.map(({ path }) => `--device=${path}`);
  return {
    name: "erofsfuse",
    isDaemon: true,
    command: (m) => [program, "-f", ...devices, image.bootstrap, m],
  };
};

/** In the order of the table's columns. */
export const SYSTEMS: ReadonlyMap<string, Setup> = new Map([
  ["nydusd-ts", nydusdTs("nydusd-ts", [])],
  ["nydusd", nydusd("nydusd")],
  ["erofs", erofs],
  ["erofsfuse", erofsfuse],
  ["fuse-native", fuseNative],
]);

/** Reads the device table and finds the blobs. @throws OperationalError, FormatError */
export function describeImage(bootstrap: string, blobDir: string, workDir: string): BenchImage {
  const path = resolve(bootstrap);
  const dir = resolve(blobDir);
  const fd = openSync(path, "r");
  try {
    const { devices, isFlat, sb } = readTables(fd, statSync(path).size, path);
    const places = { dirs: [dir], files: new Map<string, string>() };
    const find = ({ id, blocks }: (typeof devices)[number], i: number) => ({
      id,
      path: locateBlob(places, i, id, blocks * sb.blockSize).path,
    });
    return { bootstrap: path, blobDir: dir, blobs: isFlat ? [] : devices.map(find), workDir };
  } finally {
    closeSync(fd);
  }
}
