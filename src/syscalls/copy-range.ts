import { SystemCallError, systemCall } from "./system-call.ts";

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/**
 * Copies from one file to another inside the kernel; where the file system can, both have the same blocks afterwards.
 *
 * @returns bytes that were copied, fewer than `length` or 0 at the end of the file
 * @throws SystemCallError; EXDEV, EINVAL, EOPNOTSUPP, ENOSYS and EPERM say that it has to be done by reading and writing
 */
export const copyFileRange = (from: number, at: number, to: number, toAt: number, length: number): number =>
  systemCall("copy_file_range", `${at}, ${toAt}, ${length}`, from, offset(at), to, offset(toAt), length, 0);

/**
 * The next part of a file that is no hole. Moves the position of the descriptor, which nothing here reads by.
 *
 * @returns undefined behind the last one; all of the file where its file system knows no holes
 */
export function nextData(fd: number, at: number): { readonly at: number; readonly end: number } | undefined {
  try {
    const data = systemCall("lseek", `SEEK_DATA ${at}`, fd, at, SEEK_DATA);
    return { at: data, end: systemCall("lseek", `SEEK_HOLE ${data}`, fd, data, SEEK_HOLE) };
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    if (error.code === "ENXIO") return undefined;
    return { at, end: Number.MAX_SAFE_INTEGER };
  }
}

/** `loff_t`, which the kernel also writes back to. */
function offset(at: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(at), true);
  return bytes;
}
