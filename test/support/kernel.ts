import { copyFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { basename, join } from "node:path";
import { type Finished, run, until, workDir } from "./daemon.ts";
import { fixture } from "./image.ts";

const [MAJOR, MINOR] = release().split(".").map(Number);

const hasErofs = readFileSync("/proc/filesystems", "latin1").includes("\terofs");

/** What this kernel cannot do, and why; tests of it are left out then. */
export const ABSENT: Readonly<Record<string, string | undefined>> = {
  "erofs-file": !hasErofs
    ? "this kernel has no EROFS"
    : MAJOR < 6 || (MAJOR === 6 && MINOR < 12)
      ? "Linux before 6.12 has no file-backed EROFS"
      : undefined,
  "erofs-loop": !hasErofs
    ? "this kernel has no EROFS"
    : existsSync("/dev/loop-control")
      ? undefined
      : "there is no /dev/loop-control",
};

/** The kernel's drivers that are to be tested here; says which are not. */
export const KERNEL_DRIVERS = Object.keys(ABSENT).filter((driver) => {
  if (ABSENT[driver] !== undefined) console.warn(`skipped: --driver ${driver}, because ${ABSENT[driver]}`);
  return ABSENT[driver] === undefined;
});

/** Why no image can be mounted by the kernel here; undefined when one of its drivers can. */
export const NO_KERNEL_DRIVER = KERNEL_DRIVERS.length === 0 ? ABSENT["erofs-file"] : undefined;

/** Files that loop devices are attached to. */
const loopFiles = (): string[] =>
  readdirSync("/sys/block").flatMap((name) => {
    try {
      return [readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim()];
    } catch {
      return [];
    }
  });

/** A fixture's files in a directory of the test's own: what loop devices there are over them, it has made. */
export function copyOf(name: string): { dir: string; path: string; devices: string[] } {
  const { path, devices } = fixture(name);
  const dir = workDir();
  const [copy, ...others] = [path, ...devices].map((from) => {
    const to = join(dir, basename(from));
    copyFileSync(from, to);
    return to;
  });
  return { dir, path: copy, devices: others };
}

/** Loop devices over files below a directory. */
export const loopsBelow = (dir: string): string[] => loopFiles().filter((file) => file.startsWith(dir));

/** A loop device clears itself a moment after its last user, who may be somebody that looks at every new one. */
export const loopsGone = (dir: string): Promise<void> =>
  until(() => loopsBelow(dir).length === 0, `the end of the loop devices below ${dir}`);

/** `nydusd-ts mount`, run to its end. */
export const kernelMount = (
  driver: string,
  sources: readonly string[],
  mountpoint: string,
  ...more: string[]
): Finished => run(["mount", "--driver", driver, ...sources, mountpoint, ...more]);
