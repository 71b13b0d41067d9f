import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";

const PIECE = 256 << 10;
/** What the system says of a name that has become another thing since it was listed. */
const MEANWHILE = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENODATA", "ESTALE", "ENXIO"]);

/** Somebody works in the mount: what was read belongs to different moments. */
export const changedMeanwhile = (path: Uint8Array): OperationalError =>
  new OperationalError(
    `${showName(path)}: changed while it was read: end what writes to the mount, or stop it meanwhile`,
  );

/** What went wrong with a name, named. */
export function problemAt(path: Uint8Array, error: unknown): OperationalError {
  if (error instanceof OperationalError) return error;
  return MEANWHILE.has(codeOf(error))
    ? changedMeanwhile(path)
    : new OperationalError(`${showName(path)}: ${messageOf(error)}`, { cause: error });
}

/**
 * The bytes of a file, holes as zeros: readers of layers do not agree about sparse files.
 *
 * @param file where it is read
 * @param path of the layer
 * @param stats what its header was made of
 * @throws OperationalError, also when it is not that file any more
 */
export function* bodyOf(file: Buffer, path: Uint8Array, stats: BigIntStats): Generator<Uint8Array> {
  let fd: number | undefined;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const size = Number(stats.size);
    for (let at = 0; at < size; ) {
      const bytes = Buffer.allocUnsafe(Math.min(PIECE, size - at));
      const n = readSync(fd, bytes, 0, bytes.length, at);
      if (n === 0) throw changedMeanwhile(path);
      yield bytes.subarray(0, n);
      at += n;
    }
    if (!isUnchanged(stats, fstatSync(fd, { bigint: true }))) throw changedMeanwhile(path);
  } catch (error) {
    throw problemAt(path, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const isUnchanged = (a: BigIntStats, b: BigIntStats): boolean =>
  a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
