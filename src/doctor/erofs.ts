import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../bytes/errors.ts";
import type { Backing } from "../kernel-erofs/backing.ts";
import { mountDetached } from "../kernel-erofs/mount.ts";
import { type Finding, missing, ok, warn } from "./finding.ts";
import { type TinyImage, tinyImage } from "./tiny-image.ts";

/** Longest a loop device may take to clear itself: programs that look at every new device hold it for a moment. */
const CLEAR_MS = 2_000;

const ADVICE = {
  file: "Linux 6.12 or newer with CONFIG_EROFS_FS_BACKED_BY_FILE; images on a file system that is not tmpfs or overlayfs",
  loop: "CONFIG_EROFS_FS and loop devices; a container needs /dev/loop-control and CAP_SYS_ADMIN",
};
const ROOT = "run as root of the host; FUSE works without";

/** Where images may be for all that is known. */
const PLACES = [tmpdir(), "/var/tmp", process.cwd()];

/**
 * Whether the kernel mounts images, from files and from loop devices: tried, but attached nowhere, and nothing stays.
 *
 * @param places directories to have an image in; one is enough
 */
export async function examineErofs(places: readonly string[] = PLACES): Promise<Finding[]> {
  const found: Finding[] = [];
  const isKnown = readFileSync("/proc/filesystems", "latin1").includes("\terofs");
  const isRoot = process.geteuid?.() === 0;
  for (const backing of ["file", "loop"] as const) {
    const name = `driver-erofs-${backing}`;
    try {
      const where = await prove(backing, places);
      found.push(ok(name, `mounted and proved an image of 512-byte blocks with a device, ${where}`));
    } catch (error) {
      found.push(missing(name, messageOf(error), isRoot ? ADVICE[backing] : ROOT));
    }
  }
  const works = found.some(({ state }) => state === "ok");
  const erofs =
    isKnown || works
      ? ok("erofs", "the kernel has EROFS")
      : warn("erofs", "not in /proc/filesystems", "modprobe erofs, or a kernel with CONFIG_EROFS_FS");
  return [erofs, loopControl(), ...found];
}

function loopControl(): Finding {
  try {
    closeSync(openSync("/dev/loop-control", "r+"));
    return ok("loop-control", "/dev/loop-control can be opened");
  } catch (error) {
    return warn("loop-control", messageOf(error), "needed only where the kernel takes no image from a file");
  }
}

/**
 * Tries one backing, for files in several places: not every file system's files can be mounted from.
 *
 * @returns where it worked
 * @throws Error for the first place where it does not work, or else where no image can be made
 */
async function prove(backing: Backing, places: readonly string[]): Promise<string> {
  const problems: unknown[] = [];
  const unwritable: unknown[] = [];
  for (const place of new Set(places)) {
    let tiny: TinyImage | undefined;
    try {
      tiny = await tinyImage(place);
      const mount = await mountDetached(tiny.image, tiny.path, tiny.path, [], [backing]);
      mount.close();
      if (backing === "loop") await mustBeClear(tiny);
      return `from ${place}`;
    } catch (error) {
      (tiny === undefined ? unwritable : problems).push(error);
    } finally {
      tiny?.remove();
    }
  }
  throw [...problems, ...unwritable][0];
}

async function mustBeClear({ path, tar }: TinyImage): Promise<void> {
  for (const end = Date.now() + CLEAR_MS; Date.now() < end; await sleep(10))
    if (!readLoops().some((file) => file === path || file === tar)) return;
  throw new Error("a loop device did not clear itself (autoclear)");
}

/** Files that loop devices are attached to. */
const readLoops = (): string[] =>
  readdirSync("/sys/block").flatMap((name) => {
    try {
      return [readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim()];
    } catch {
      return []; // none, or none any more
    }
  });
