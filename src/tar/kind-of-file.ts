import { readFileSync, readSync } from "node:fs";
import { type FileKind, HEAD, kindOf, kindOfTail, LONG_HEAD, TAIL } from "../bytes/magic.ts";
import type { Part } from "./layer-file.ts";

/** What a file is: by its beginning, by its end, or by what lies deeper in it. */
export const kindOfFile = (fd: number, { at, size }: Part): FileKind | undefined =>
  kindBy(size, (from, length) => {
    const buffer = new Uint8Array(Math.max(0, Math.min(length, size - from)));
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, at + from));
  });

/** The same of all the bytes of one. */
export const kindOfBytes = (all: Uint8Array): FileKind | undefined =>
  kindBy(all.length, (from, length) => all.subarray(from, from + length));

function kindBy(size: number, bytes: (from: number, length: number) => Uint8Array): FileKind | undefined {
  const found = kindOf(bytes(0, HEAD));
  if (found?.reads === "tar" || found?.reads === "erofs") return found;
  return (
    (size >= TAIL ? kindOfTail(bytes(size - TAIL, TAIL)) : undefined) ?? found ?? kindOf(bytes(0, LONG_HEAD))
  );
}

/** How far the processes that share an open file have read. @see https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html */
export const positionOf = (fd: number): number =>
  Number(/^pos:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1] ?? 0);
