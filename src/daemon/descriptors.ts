import { realpathSync, statSync } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";
import type { DaemonOptions } from "./options.ts";
import { descriptorOf } from "../config-file/own-descriptor.ts";

const STDERR = 2;

/** The name that a file has for every process; the same path where it has none, or is a pipe. */
export function commonName(path: string): string {
  if (descriptorOf(path) === undefined) return path;
  try {
    const real = realpathSync(path);
    const [named, open] = [statSync(real), statSync(path)];
    return named.dev === open.dev && named.ino === open.ino && !open.isCharacterDevice() ? real : path;
  } catch {
    return path;
  }
}

/** What a file is called where its user reads of it later: `-` for a pipe, whose path means something else by then. */
export function nameForOthers(path: string): string {
  if (descriptorOf(path) === undefined) return path;
  const name = commonName(path);
  return name === path ? "-" : name;
}

/** Files by the names that they have for a process in the background, too. */
export const withCommonNames = <T extends DaemonOptions>(options: T): T => ({
  ...options,
  bootstrap: options.bootstrap === undefined ? undefined : commonName(options.bootstrap),
  places: {
    ...options.places,
    dirs: options.places.dirs.map(commonName),
    files: new Map([...options.places.files].map(([id, path]) => [id, commonName(path)])),
  },
  prefetch: options.prefetch && {
    ...options.prefetch,
    list:
      typeof options.prefetch.list === "string" ? commonName(options.prefetch.list) : options.prefetch.list,
  },
});

/** @throws OperationalError naming what only this process has open */
export function refuseDescriptors({ bootstrap, places, prefetch, ...rest }: DaemonOptions): void {
  const { trace, pidFile, logFile, upper } = rest;
  const isLogHere = logFile !== undefined && descriptorOf(logFile) === STDERR; // it is handed over
  const paths = [bootstrap, ...places.files.values(), ...places.dirs, prefetch?.list, trace, pidFile, upper];
  for (const path of [...paths, isLogHere ? undefined : logFile])
    if (typeof path === "string" && descriptorOf(path) !== undefined)
      throw new OperationalError(
        `${path}: a pipe or a file without a name, which a process in the background cannot open: use a file, or --foreground`,
      );
}
