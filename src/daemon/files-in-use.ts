import { readdirSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";
import { defaultStateDir } from "../handover/state-dir.ts";
import { allStates } from "../handover/state-file.ts";
import { type Inode, inodeKey, kernelMountFiles } from "./kernel-mounts.ts";

/**
 * Files that mounts read: what processes have open; what a session that goes on after its process will open; what the kernel
 * reads by itself.
 *
 * @param names of files that are asked for: nothing else is looked at, a file may lie where looking waits
 */
export function filesInUse(names: ReadonlySet<string>): (file: Inode) => boolean {
  const all = new Set([...openFiles(names), ...filesOfStates(), ...kernelMountFiles()]);
  return (file) => all.has(inodeKey(file));
}

function* openFiles(names: ReadonlySet<string>): Generator<string> {
  for (const pid of listed("/proc").filter((name) => /^\d+$/.test(name)))
    for (const fd of listed(`/proc/${pid}/fd`))
      try {
        const link = `/proc/${pid}/fd/${fd}`;
        if (names.has(basename(readlinkSync(link)))) yield inodeKey(statSync(link));
      } catch {} // it was closed
}

/** Of sessions whose state is where states are by default. */
function* filesOfStates(): Generator<string> {
  try {
    for (const { state } of allStates(defaultStateDir()))
      for (const { files } of state.images) yield* files.map(inodeKey);
  } catch {} // nothing was ever mounted
}

/** Nothing for what is not there, or another user's. */
function listed(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
