import { type Attr, type Entry, newAttr, newEntry, type Statfs } from "../vfs/file-system.ts";
import { OUT_HEADER } from "./wire.ts";

/** Requests are small; a long batch of forgets is what fills this. */
const IN_SIZE = 64 * 1024;
/** The reply's header ends on a page boundary, so that file data begins on one. */
export const PAYLOAD = 4096;
export const HEADER_AT = PAYLOAD - OUT_HEADER;

/** The buffers and records of one worker, made once and reused for every request. */
export interface Frame {
  readonly in: Uint8Array;
  readonly inView: DataView;
  /** Bytes of the request. */
  length: number;
  readonly out: Uint8Array;
  readonly outView: DataView;
  /** Bytes of payload that fit. */
  readonly room: number;
  readonly attr: Attr;
  readonly entry: Entry;
  readonly statfs: Statfs;
}

/**
 * glibc gives memory of this size back as soon as it is free (malloc.c, DEFAULT_MMAP_THRESHOLD_MAX), and keeps smaller
 * pieces: 1 MiB for each of 50 threads that left. What is never written to takes none.
 */
const GIVEN_BACK = 33 << 20;

/**
 * @param room largest payload of a reply, bytes
 * @param isPassing its thread leaves before the process does
 */
export function newFrame(room: number, isPassing = false): Frame {
  const input = Buffer.alloc(IN_SIZE);
  // A shared pool slice would not be page-aligned; a buffer of its own is.
  const bytes = new ArrayBuffer(Math.max(PAYLOAD + room, isPassing ? GIVEN_BACK : 0));
  const out = new Uint8Array(bytes, 0, PAYLOAD + room);
  return {
    in: input,
    inView: new DataView(input.buffer, input.byteOffset, input.byteLength),
    length: 0,
    out,
    outView: new DataView(out.buffer),
    room,
    attr: newAttr(),
    entry: newEntry(),
    statfs: { blocks: 0, blockSize: 0, files: 0 },
  };
}
