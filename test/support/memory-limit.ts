import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";
import { until } from "./daemon.ts";

/** Where a control group for memory can be made here, and what its files are called: version 2, else version 1. */
const VERSIONS = [
  { root: "/sys/fs/cgroup", has: "cgroup.subtree_control", limit: "memory.max", peak: "memory.peak" },
  {
    root: "/sys/fs/cgroup/memory",
    has: "memory.limit_in_bytes",
    limit: "memory.limit_in_bytes",
    peak: "memory.max_usage_in_bytes",
  },
] as const;

type Version = (typeof VERSIONS)[number];

/** A group of processes that together may have so much memory. */
export interface MemoryLimit {
  /** To be written a pid into. */
  readonly procs: string;
  /** Most bytes that it had, page cache and all; undefined when the kernel does not say. */
  peak(): number | undefined;
}

/** A test is left out where there is none. */
export function memoryLimit(test: TestContext, name: string, bytes: number): MemoryLimit {
  for (const version of VERSIONS) {
    const dir = join(version.root, `nydusd-ts-${name}-${process.pid}`);
    if (!existsSync(join(version.root, version.has)) || !make(dir, version, bytes)) continue;
    onTestFinished(async () => {
      await until(
        () => readFileSync(join(dir, "cgroup.procs"), "latin1") === "",
        "the end of a control group",
      );
      rmdirSync(dir);
    });
    const peak = join(dir, version.peak);
    return {
      procs: join(dir, "cgroup.procs"),
      peak: () => (existsSync(peak) ? Number(readFileSync(peak, "latin1")) : undefined),
    };
  }
  return test.skip("no control group for memory can be made here");
}

function make(dir: string, version: Version, bytes: number): boolean {
  try {
    if (version.limit === "memory.max") writeFileSync(join(version.root, version.has), "+memory");
    mkdirSync(dir);
    writeFileSync(join(dir, version.limit), `${bytes}`);
    return true;
  } catch {
    if (existsSync(dir)) rmdirSync(dir);
    return false;
  }
}
