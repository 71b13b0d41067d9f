import { closeSync, fstatSync, openSync, realpathSync, statSync } from "node:fs";
import { isatty } from "node:tty";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { FileKind } from "../bytes/magic.ts";
import { kindOfFile, positionOf } from "../tar/source.ts";
import { notThere } from "./spelling.ts";

/** What a source is before it is looked into. */
export type Arrival =
  | { readonly kind: "directory" }
  /** Comes in its order, and once. */
  | { readonly kind: "stream"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly found: FileKind | undefined };

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
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw notThere(path);
  if (stats.isDirectory()) return { kind: "directory" };
  if (!stats.isFile()) return { kind: "stream", path };
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw new OperationalError(messageOf(error));
  }
  try {
    return { kind: "file", path, found: kindOfFile(fd, { at: 0, size: stats.size }) };
  } finally {
    closeSync(fd);
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
