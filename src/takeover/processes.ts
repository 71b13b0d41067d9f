import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { ProcessState } from "./state.ts";

/**
 * When a process began, clock ticks after boot; undefined when there is none, or it has ended and nobody was told yet.
 * Source: proc_pid_stat(5), fields 3 and 22.
 */
export function startOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

export const processState = (pid: number): ProcessState => ({ pid, started: startOf(pid) ?? 0 });

/** Whether that very process is there. */
export const isAlive = ({ pid, started }: ProcessState): boolean => startOf(pid) === started;

/** @returns the FUSE device of a process, undefined when it has none */
export function fuseDeviceOf(pid: number): number | undefined {
  const dir = `/proc/${pid}/fd`;
  const isDevice = (name: string): boolean => {
    try {
      return readlinkSync(`${dir}/${name}`) === "/dev/fuse";
    } catch {
      return false; // closed meanwhile
    }
  };
  const name = readdirSync(dir).find(isDevice);
  return name === undefined ? undefined : Number(name);
}
