import { fstatSync } from "node:fs";

/** What a process is to a session, see keeper.sh. */
const ROLES = ["first", "after", "next", "refuse", "clear"] as const;
type Role = (typeof ROLES)[number];

/** Descriptor of the FUSE device that the keeper holds, where it does not say which. */
const KEPT_DEVICE = 9;
/** `makedev(10, 229)` as stat gives it. */
const FUSE_DEVICE = (10 << 8) | 229;
/** Exit statuses of a process that did not die. */
const DONE = 64;
const HANDED_OVER = 80;

/** The small parent that holds the FUSE device, as its child sees it. */
export interface Keeper {
  readonly pid: number;
  readonly role: Role;
  /** Its child's FUSE device, mounted or to be mounted. */
  readonly device: number;
  /** Processes that died before this one, and the exit status of the last: 128 + n for signal n. */
  readonly crashes: number;
  readonly last: number;
  /** Where the state is, when another keeper was there before this one: without the end of its path. */
  readonly state: string | undefined;
  /** This process is to ask for a session whose keeper is gone. */
  readonly isToAdopt: boolean;
}

/** @returns undefined for a process without a keeper */
export function findKeeper(env: NodeJS.ProcessEnv = process.env, ppid = process.ppid): Keeper | undefined {
  const { NYDUSD_TS_KEEPER: pid, NYDUSD_TS_ROLE: word, NYDUSD_TS_CRASHES, NYDUSD_TS_LAST } = env;
  const device = Number(env["NYDUSD_TS_DEVICE"] ?? KEPT_DEVICE);
  const role = ROLES.find((each) => each === word);
  if (role === undefined || Number(pid) !== ppid || !isFuseDevice(device)) return undefined;
  return {
    pid: ppid,
    role,
    device,
    crashes: Number(NYDUSD_TS_CRASHES ?? 0),
    last: Number(NYDUSD_TS_LAST ?? 0),
    state: env["NYDUSD_TS_STATE"],
    isToAdopt: env["NYDUSD_TS_ADOPT"] !== undefined,
  };
}

/** Whether a descriptor is of /dev/fuse, mounted or not. */
export function isFuseDevice(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    return stats.isCharacterDevice() && stats.rdev === FUSE_DEVICE;
  } catch {
    return false;
  }
}

/** Whether the keeper is there still. */
export const isKept = ({ pid }: Keeper): boolean => process.ppid === pid;

/** From now on the end of this process matters; told again, it has served well for a while. */
export const tellServing = ({ pid }: Keeper): void => tell(pid, "SIGUSR1");

/** Another process is to be started beside this one, in the place of such a one that there is. */
export const askForNext = ({ pid }: Keeper): void => tell(pid, "SIGUSR2");

/** The process beside this one is to end. */
export const endNext = ({ pid }: Keeper): void => tell(pid, "SIGALRM");

function tell(pid: number, signal: NodeJS.Signals): void {
  // Not to a process that has its number by now, or adopted this one.
  if (process.ppid === pid) process.kill(pid, signal);
}

/** The exit status by which a keeper knows that a process came to its end with `status`, and did not die. */
export const doneWith = (status: number): number => DONE + status;
/** Its successor serves. */
export const handedOver = HANDED_OVER;

/** The keeper of this process. */
export const ownKeeper = findKeeper();
/** Another process has mounted what this one is to serve. */
export const isSuccessor = ownKeeper !== undefined && ownKeeper.role !== "first";
