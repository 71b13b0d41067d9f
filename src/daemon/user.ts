import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";
import type { Owner } from "../fuse/device.ts";
import { fusermountTrouble } from "../mounts/fusermount.ts";

const NUMBER = /^\d+$/;
/** The kernel's "no such user". */
const NOBODY_AT_ALL = 2 ** 32 - 1;

/**
 * Finds whom the daemon is to become, and that it can.
 *
 * @param text NAME, UID, or one of both with :GROUP or :GID
 * @throws OperationalError saying what is missing
 */
export function findUser(text: string): Owner {
  const bad = (why: string) => new OperationalError(`--user ${text}: ${why}`);
  if (process.geteuid?.() !== 0) throw bad("only a daemon that root starts can serve as another user");
  const [name, group, ...more] = text.split(":");
  if (name === "" || group === "" || more.length > 0) throw bad("want NAME, UID or UID:GID");
  const [, , uid = name, own] = entry("passwd", name);
  const gid = group === undefined ? own : (entry("group", group)[2] ?? group);
  if (!isId(uid)) throw bad(`there is no user ${name}`);
  if (gid === undefined) throw bad(`there is no user ${name}, so give its group, too: ${name}:GID`);
  if (!isId(gid)) throw bad(`there is no group ${group}`);
  if (Number(uid) === 0) throw bad("the daemon runs as root already: leave --user out");
  const trouble = fusermountTrouble();
  if (trouble !== undefined) throw bad(`${trouble}, which this user needs to unmount; install fuse3`);
  return { uid: Number(uid), gid: Number(gid) };
}

/** @throws OperationalError unless that user gets to the mountpoint: fusermount(1) goes there as that user */
export function mustReach({ uid, gid }: Owner, mountpoint: string): void {
  const { error, status } = spawnSync("test", ["-d", mountpoint], { uid, gid });
  if (error !== undefined) throw new OperationalError(`--user: cannot become user ${uid}: ${error.message}`);
  if (status !== 0)
    throw new OperationalError(
      `--user: user ${uid} cannot reach ${mountpoint}, and so could not unmount it: let it search each directory above`,
    );
}

/** Users and groups may be kept anywhere; this program knows, which asks the C library. */
const entry = (database: "passwd" | "group", key: string): (string | undefined)[] => {
  const { stdout, status } = spawnSync("getent", [database, key], { encoding: "utf8" });
  return status === 0 ? stdout.trim().split(":") : [];
};

const isId = (text: string): boolean => NUMBER.test(text) && Number(text) < NOBODY_AT_ALL;

/**
 * Becomes that user, in every thread, without other groups and without capabilities. What is open stays open.
 *
 * @throws OperationalError unless all threads have changed
 */
export function becomeUser({ uid, gid }: Owner): void {
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  const wanted = [
    `Uid:\t${`${uid}\t`.repeat(4).trim()}`,
    `Gid:\t${`${gid}\t`.repeat(4).trim()}`,
    "CapPrm:\t0000000000000000",
  ];
  for (const thread of readdirSync("/proc/self/task")) {
    const status = statusOf(thread);
    const missing = wanted.find((line) => !status.includes(line));
    if (status.length > 0 && missing !== undefined)
      throw new OperationalError(`--user: thread ${thread} has not become user ${uid}: no ${missing}`);
  }
}

/** Lines about a thread; none when it has ended meanwhile. */
function statusOf(thread: string): string[] {
  try {
    return readFileSync(`/proc/self/task/${thread}/status`, "latin1").split("\n");
  } catch {
    return [];
  }
}
