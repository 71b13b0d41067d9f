import { closeSync, fstatSync, openSync, realpathSync, statSync } from "node:fs";
import { isatty } from "node:tty";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import type { FileKind } from "../bytes/magic.ts";
import { openPath, renamed } from "../safe-open/open-file.ts";
import { kindOfFile, positionOf } from "../tar/kind-of-file.ts";
import { notThere } from "./spelling.ts";

/** What a source is before it is looked into. What is open is the caller's to close. */
export type Arrival =
  | { readonly kind: "directory" }
  /** Comes in its order, and once. `fd` only says which it is, and waits for nothing; "-" has none. */
  | { readonly kind: "stream"; readonly path: string; readonly fd?: number }
  /** Open for reading. */
  | {
      readonly kind: "file";
      readonly path: string;
      readonly fd: number;
      readonly found: FileKind | undefined;
    };

const STDIN = "-";
/** Names of what this process has open, which mean something else to another one. */
const OWN = /^(\/dev\/stdin|(\/dev|\/proc\/self)\/fd\/(\d+))$/;

/**
 * Looks how a source comes. A file that was handed over open is that file: it need not be copied.
 *
 * @throws OperationalError when it is not there or cannot be read
 */
export function arrivalOf(said: string): Arrival {
  const path = said === STDIN || OWN.test(said) ? handedOver(said) : said;
  if (path === STDIN) return { kind: "stream", path };
  const place = lookAt(path);
  const stats = fstatSync(place);
  if (!stats.isFile() && !stats.isDirectory()) return { kind: "stream", path, fd: place };
  try {
    if (stats.isDirectory()) return { kind: "directory" };
    const fd = openToRead(place, path);
    return { kind: "file", path, fd, found: kindOfFile(fd, { at: 0, size: stats.size }) };
  } finally {
    closeSync(place);
  }
}

function lookAt(path: string): number {
  try {
    return openPath(path);
  } catch (error) {
    throw ["ENOENT", "ENOTDIR"].includes(codeOf(error)) ? notThere(path) : error;
  }
}

function openToRead(place: number, path: string): number {
  const at = `/proc/self/fd/${place}`;
  try {
    return openSync(at, "r");
  } catch (error) {
    throw new OperationalError(messageOf(renamed(error, at, path)));
  }
}

/** The path of a file that is open; what was given, where there is none or some of it was read already. */
function handedOver(said: string): string {
  const fd = said === STDIN || said === "/dev/stdin" ? 0 : Number(OWN.exec(said)?.[3]);
  try {
    const stats = fstatSync(fd);
    if (fd === 0 && isatty(fd))
      throw new OperationalError("standard input is a terminal: pipe a layer or an archive into it");
    if (!stats.isFile()) return said;
    const path = realpathSync(`/proc/self/fd/${fd}`);
    const there = statSync(path);
    const isSame = there.ino === stats.ino && there.dev === stats.dev;
    return isSame && (said !== STDIN || positionOf(fd) === 0) ? path : said;
  } catch (error) {
    if (error instanceof OperationalError) throw error;
    return said;
  }
}
