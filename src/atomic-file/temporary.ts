import { createHash, randomUUID } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../bytes/errors.ts";

/** Hexadecimal digits of each part: running system, process, file of that process. */
const PART = 8;

/** Pids mean something on one running system, in one pid namespace; another one's files are another one's. */
const systemPart = ((): string => {
  const read = (what: () => string) => {
    try {
      return what();
    } catch {
      return ""; // no /proc
    }
  };
  const boot = read(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1"));
  const pids = read(() => readlinkSync("/proc/self/ns/pid"));
  return createHash("sha256").update(`${boot} ${pids}`).digest("hex").slice(0, PART);
})();

const pidPart = (pid: number): string => pid.toString(16).padStart(PART, "0");

const ownPart = pidPart(process.pid);

/** A name beside a file that no other file has, and that says which process makes it. */
export function temporaryName(path: string): string {
  const random = randomUUID().slice(0, PART); // Node draws the bytes of many at once
  const at = path.lastIndexOf("/") + 1;
  return `${path.slice(0, at)}.${path.slice(at)}.${systemPart}${ownPart}${random}.tmp`;
}

/** Removes what processes that are no more (SIGKILL, a crash) have left of the same file. */
export function removeLeftovers(path: string): void {
  const begin = `.${basename(path)}.${systemPart}`;
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(begin) || !name.endsWith(".tmp")) continue;
    const rest = name.slice(begin.length, -".tmp".length);
    if (
      /^[0-9a-f]+$/.test(rest) &&
      rest.length === 2 * PART &&
      isGone(Number.parseInt(rest.slice(0, PART), 16))
    )
      rmSync(join(dirname(path), name), { force: true });
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === "ESRCH";
  }
}
