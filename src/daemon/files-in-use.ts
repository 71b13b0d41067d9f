import { readdirSync, readlinkSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { defaultStateDir } from "../handover/state-dir.ts";
import { allStates } from "../handover/state-file.ts";
import { type Inode, inodeKey, kernelMountFiles } from "./kernel-mounts.ts";

/** What a keeper has open beside the state of its session, wherever that is: see handover/alive. */
const ALIVE = ".alive";

/**
 * Files that mounts read: what processes have open; what a session that goes on after its process will open; what the kernel
 * reads by itself.
 *
 * @param names of files that are asked for: nothing else is looked at, a file may lie where looking waits
 */
export function filesInUse(names: ReadonlySet<string>): (file: Inode) => boolean {
  const all = new Set<string>();
  const stateDirs = new Set([defaultStateDir()]);
  for (const { link, path } of openFiles())
    try {
      if (names.has(basename(path))) all.add(inodeKey(statSync(link)));
      if (path.endsWith(ALIVE)) stateDirs.add(dirname(path));
    } catch {} // it was closed
  for (const dir of stateDirs) for (const key of filesOfStates(dir)) all.add(key);
  for (const key of kernelMountFiles()) all.add(key);
  return (file) => all.has(inodeKey(file));
}

function* openFiles(): Generator<{ link: string; path: string }> {
  for (const pid of listed("/proc").filter((name) => /^\d+$/.test(name)))
    for (const fd of listed(`/proc/${pid}/fd`)) {
      const link = `/proc/${pid}/fd/${fd}`;
      try {
        yield { link, path: readlinkSync(link) };
      } catch {} // it was closed
    }
}

function* filesOfStates(dir: string): Generator<string> {
  try {
    for (const { state } of allStates(dir)) for (const { files } of state.images) yield* files.map(inodeKey);
  } catch {} // nothing was ever mounted, or it is not this user's to say
}

/** Nothing for what is not there, or another user's. */
function listed(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
