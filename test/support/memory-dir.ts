import { mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { afterAll } from "vitest";
import { scratchDir } from "./image.ts";

/** Where Linux keeps files in memory. */
const MEMORY = "/dev/shm";

const made: string[] = [];
afterAll(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** Whether so many bytes of files may lie in memory, and leave as much of it to others. */
export const hasMemory = (bytes: number): boolean =>
  1024 * Number(/^MemAvailable: +(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0) >
  2 * bytes;

/**
 * A directory for tens of thousands of files, which goes away with the test file: in memory where there is room for so
 * many bytes, because a disk takes minutes to make and to remove them.
 */
export function memoryDir(bytes: number): string {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (!hasMemory(bytes) || bavail * bsize < bytes) return scratchDir();
    made.push(mkdtempSync(join(MEMORY, "nydusd-ts-")));
    return made.at(-1) ?? "";
  } catch {
    return scratchDir(); // none here, or no access to it
  }
}
