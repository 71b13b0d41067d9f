import { spawn } from "node:child_process";
import { constants, readFileSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join, resolve } from "node:path";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { SAFE_FLAGS } from "./defaults.ts";
import { asSource, splitOptions } from "./options.ts";
import { isImage, type MountEntry, mountAt, readMounts } from "./table.ts";
import { makeUpperAndWork } from "./upper-directory.ts";

const TIMEOUT_MS = 10_000;

/** A path that means itself in an option string, and that every way of mounting takes: 256 bytes with its NUL. */
const PLAIN = /^[\w./@%+=-]{1,255}$/;

/** How an overlay shows where it keeps changes that was made here. */
const UPPER = /[,]upperdir=([^,]*?)\/?upper,workdir=\1\/?work(,|$)/;

/**
 * Whether an overlay was made here: it is mounted on the root of an image.
 *
 * @param all the table that it is from
 */
export function isOverlay(
  { type, parent, mountpoint, options }: MountEntry,
  all: readonly MountEntry[] = readMounts(),
): boolean {
  if (type !== "overlay" || !UPPER.test(options)) return false;
  return all.some((below) => below.id === parent && below.mountpoint === mountpoint && isImage(below));
}

/** The directory that was given for the changes, where the overlay shows it. */
export const upperOf = ({ options }: MountEntry): string | undefined => UPPER.exec(options)?.[1] || undefined;

/**
 * Mounts a writable overlay above what is mounted on a directory. Everything that touches that mount is left to
 * other threads and processes: this thread may be the one that serves it.
 *
 * @param upper directory that holds `upper`, with the changes, and `work`; both are made when they are not there
 * @param words mount options as after `-o`; only those that are the mount's count
 * @returns its device number, `major:minor`
 * @throws OperationalError; nothing is mounted then
 */
export async function mountOverlay(
  mountpoint: string,
  upper: string,
  words: readonly string[],
): Promise<string> {
  const path = resolve(upper);
  let lower: FileHandle | undefined;
  try {
    lower = await open(mountpoint, constants.O_RDONLY | constants.O_DIRECTORY);
    mustBeUnused(upper);
    await makeUpperAndWork(path, lower);
    await mount(mountpoint, path, lower.fd, words);
  } catch (error) {
    throw error instanceof OperationalError
      ? error
      : new OperationalError(`--rw ${upper}: ${messageOf(error)}`);
  } finally {
    await lower?.close();
  }
  return mountAt(mountpoint)?.device ?? "";
}

/**
 * Two overlays with the same changes destroy them, says overlayfs, and takes them all the same.
 *
 * @throws OperationalError naming the other's mountpoint
 */
export function mustBeUnused(changes: string): void {
  const own = placeOf(join(resolve(changes), "upper"));
  if (own === undefined) return;
  const other = readMounts().find((each) => {
    const upper = each.type === "overlay" ? upperOf(each) : undefined;
    return upper !== undefined && placeOf(join(upper, "upper")) === own;
  });
  if (other !== undefined)
    throw new OperationalError(
      `--rw ${changes}: it has the changes of ${other.mountpoint}, which is mounted: choose another directory`,
    );
}

/** @returns undefined for what is not there */
function placeOf(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}

/**
 * Paths are shown in the table of mounts where they can be. Where commas, colons, backslashes or length are in
 * the way, they are said relative to the working directory, and as a descriptor that the program inherits.
 */
async function mount(mountpoint: string, upper: string, lower: number, words: readonly string[]) {
  const lowerdir = PLAIN.test(mountpoint) ? mountpoint : "/proc/self/fd/3";
  const prefix = PLAIN.test(join(upper, "upper")) ? `${upper}/` : "";
  const options = [
    ...[...SAFE_FLAGS, ...splitOptions(words).ofMount.filter((word) => word !== "ro")],
    ...[`lowerdir=${lowerdir}`, `upperdir=${prefix}upper`, `workdir=${prefix}work`],
    ...(isInUserNamespace() ? ["userxattr"] : []), // trusted.* is for root of the host
  ].join(",");
  const name = mountAt(mountpoint)?.source ?? "overlay";
  const child = spawn(
    "mount",
    ["-i", "-c", "-t", "overlay", "-o", options, "--", asSource(name), mountpoint],
    {
      cwd: upper,
      stdio: ["ignore", "ignore", "pipe", lower],
      env: { ...process.env, LC_ALL: "C" },
      timeout: TIMEOUT_MS,
    },
  );
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const status = await new Promise<number | string>((done, fail) => {
    child.once("error", fail);
    child.once("close", (code, signal) => done(code ?? signal ?? ""));
  });
  if (status !== 0)
    throw new Error(
      `${said.trim().split("\n")[0] || `mount ended with ${status}`} (overlayfs writes to no overlayfs, NFS or FAT, nor below its own mount; the kernel's log says more)`,
    );
}

/** Only the first user namespace has all ids, each as itself. */
export function isInUserNamespace(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "latin1"));
  } catch {
    return false; // a kernel without user namespaces
  }
}
