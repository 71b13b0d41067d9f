import { existsSync, readdirSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { type Finished, run, until } from "./daemon.ts";

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

/** Files that loop devices are attached to. */
const loopFiles = (): string[] =>
  readdirSync("/sys/block").flatMap((name) => {
    try {
      return [readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim()];
    } catch {
      return [];
    }
  });

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
