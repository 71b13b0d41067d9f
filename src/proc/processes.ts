import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/** A process: a pid comes again, and means something else after a restart and in another pid namespace. */
export interface ProcessState {
  readonly pid: number;
  /** See startOf. */
  readonly started: number;
  /** Where the pid is one: see `pidSpace`. Absent in older states. */
  readonly space?: string;
}

/**
 * What the kernel says of a process or thread.
 *
 * @returns what follows its name, which may hold anything: `state` is the first (proc_pid_stat(5), field 3 and following);
 *   undefined when there is none
 */
export function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** The calling thread as the kernel numbers it; 0, which the kernel takes for the caller, where /proc does not say. */
export function thisThread(): number {
  try {
    return Number(basename(readlinkSync("/proc/thread-self")));
  } catch {
    return 0;
  }
}

/**
 * When a process began, clock ticks after boot; undefined when there is none, or it has ended and its parent has not waited for it yet.
 */
export function startOf(pid: number): number | undefined {
  const stat = statOf(pid);
  return stat === undefined || stat[0] === "Z" ? undefined : Number(stat[19]);
}

export const processState = (pid: number): ProcessState => ({
  ...{ pid, started: startOf(pid) ?? 0 },
  space: pidSpace(),
});

let space: string | undefined;

/** The boot and the pid namespace that numbers of processes are of: `BOOT/NAMESPACE`. */
function pidSpace(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    space ??= `${boot}/${readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`;
  } catch {} // a kernel without namespaces
  space ??= "";
  return space;
}

/** What is known of a process from here; "elsewhere": its number is of another pid namespace. */
export function fateOf({ pid, started, space = pidSpace() }: ProcessState): "alive" | "dead" | "elsewhere" {
  const [boot, namespace] = space.split("/");
  const [ownBoot, ownNamespace] = pidSpace().split("/");
  if (boot !== ownBoot) return "dead";
  if (namespace !== ownNamespace) return "elsewhere";
  return startOf(pid) === started ? "alive" : "dead";
}

/** Whether that very process is there. */
export const isAlive = (process: ProcessState): boolean => fateOf(process) === "alive";

/** Whether that very process is known to be gone. */
export const isDead = (process: ProcessState): boolean => fateOf(process) === "dead";

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

const CLOCK_TICKS = 100; // USER_HZ, the same on every architecture that Node runs on

/** When a process began; undefined when there is none. */
export function beganAt(pid: number): Date | undefined {
  const start = startOf(pid);
  const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1];
  return start === undefined || boot === undefined
    ? undefined
    : new Date(1000 * (Number(boot) + start / CLOCK_TICKS));
}

/**
 * Processes that have the device of a FUSE mount open, the oldest first: those that this user may look into, where the
 * kernel says which connection a device is of.
 *
 * @param device `major:minor` of the mount
 */
export function serversOf(device: string): number[] {
  const wanted = Number(device.split(":")[1]);
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids
    .map(Number)
    .filter((pid) => connectionsOf(pid).includes(wanted))
    .sort((a, b) => (startOf(a) ?? 0) - (startOf(b) ?? 0));
}

/** FUSE connections that a process serves, as the minor numbers of their mounts; none where the kernel does not say. */
export function connectionsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        if (readlinkSync(`/proc/${pid}/fd/${fd}`) !== "/dev/fuse") return [];
        const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1");
        const connection = /^fuse_connection:\s*(\d+)$/m.exec(info)?.[1];
        return connection === undefined ? [] : [Number(connection)];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return []; // gone, or another user's
  }
}
