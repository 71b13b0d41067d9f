import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "../bytes/errors.ts";

/**
 * Makes a directory and those above it that are missing. Not Node's `recursive`: that never ends where a directory cannot
 * be made below one that exists, as in /proc.
 *
 * @throws the system error
 */
export function makeDirectories(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (codeOf(error) === "ENOENT" && dirname(path) !== path && !isThere(dirname(path))) {
      makeDirectories(dirname(path), mode);
      mkdirSync(path, { mode });
    } else if (codeOf(error) !== "EEXIST" || !isDirectory(path)) throw error;
  }
}

const isThere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;
const isDirectory = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
