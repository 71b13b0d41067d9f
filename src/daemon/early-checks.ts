import { accessSync, constants, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, resolve } from "node:path";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { StateFile } from "../handover/state-file.ts";
import { openLog } from "../log/log.ts";
import { readList } from "../prefetch/list.ts";
import { findMountpoint } from "../seed/mountpoint.ts";
import { type BackendFlags, logTarget } from "./options-from-flags.ts";
import { mayOverlay } from "./overlay.ts";
import { findUser } from "./user.ts";

/**
 * What can be known before layers are read and decompressed, which takes minutes, is said before. All of it is looked at
 * again where it is used: it may change meanwhile.
 *
 * @throws OperationalError, as those who use it throw it
 */
export async function mustBeMountable(flags: BackendFlags): Promise<void> {
  const log = openLog(flags.logLevel, logTarget(flags));
  try {
    // Not claimed: another mount may be there first, and is told.
    await findMountpoint(flags.mountpoint, flags.force, log);
  } finally {
    log.close();
  }
  if (flags.rw !== undefined) mayOverlay(flags.rw, flags.mountpoint);
  if (flags.user !== undefined) findUser(flags.user);
  const { prefetchFiles: list } = flags;
  // What comes by a pipe can be read once.
  const isLater = list === undefined || statSync(list, { throwIfNoEntry: false })?.isFIFO();
  if (!isLater && flags.prefetch === "on") readList(list);
  if (flags.stateDir !== undefined) StateFile.in(flags.stateDir, process.pid);
  mustBePlaceable("trace", flags.trace, constants.F_OK); // it may be a pipe in a directory that nobody writes
  mustBePlaceable("pid file", flags.pidFile);
  mustBePlaceable("apisock", flags.apisock);
  if (!flags.upgrade) await mustBeListenable(flags);
}

/** Loaded only when it is asked for. What takes a session over may have its addresses later. */
async function mustBeListenable({ apisock, metricsAddress }: BackendFlags): Promise<void> {
  if (apisock !== undefined)
    await (await import("../listen/unix-socket.ts")).mustBeFree(resolve(apisock), "apisock");
  if (metricsAddress !== undefined)
    (await (await import("../prometheus/http.ts")).bind(metricsAddress, createServer())).close();
}

/** Whether a file can be made there, or in the place of one that is. */
function mustBePlaceable(what: string, path: string | undefined, mode = constants.W_OK): void {
  if (path === undefined) return;
  try {
    accessSync(dirname(path), mode);
  } catch (error) {
    const problem = codeOf(error) === "ENOENT" ? "no such directory" : messageOf(error);
    throw new OperationalError(`${what} ${path}: ${problem}`);
  }
}
