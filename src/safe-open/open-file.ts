import { closeSync, constants, fstatSync, openSync, readlinkSync, type Stats } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";
import { O_PATH } from "../bytes/o-path.ts";

export interface OpenFile {
  readonly fd: number;
  readonly stats: Stats;
  /** Where it lies, without links on the way. */
  readonly path: string;
}

/** Looks at what a path leads to, before anything of it is opened. @throws when it shall not be */
export type Check = (stats: Stats, path: string) => void;

/**
 * Opens a file for reading once it was looked at. What is opened is what was looked at, whatever happens to the path
 * meanwhile.
 *
 * @param name for messages, where `path` leads through a descriptor
 * @throws what `check` throws; the system error of opening it
 */
export function openFile(path: string, check: Check, name = path): OpenFile {
  const place = openPath(path, 0, name);
  try {
    const stats = fstatSync(place);
    const real = pathOf(place);
    check(stats, real);
    return { fd: open(`/proc/self/fd/${place}`, constants.O_RDONLY, name), stats, path: real };
  } finally {
    closeSync(place);
  }
}

/** A `Check`. */
export function mustBeRegular(stats: Stats): void {
  if (!stats.isFile()) throw new OperationalError("not a regular file");
}

/** @param flags more of them */
export const openPath = (path: string, flags = 0, name = path): number => open(path, O_PATH | flags, name);

/** The path of an open file as the kernel has it. Bytes that are no UTF-8 are lost: nothing is like it then. */
export const pathOf = (fd: number): string => readlinkSync(`/proc/self/fd/${fd}`);

function open(path: string, flags: number, name: string): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw renamed(error, path, name);
  }
}

/** An error of the system as it would be said of the name, where `path` leads through a descriptor. */
export function renamed(error: unknown, path: string, name: string): unknown {
  if (error instanceof Error) error.message = error.message.replace(`'${path}'`, `'${name}'`);
  return error;
}
