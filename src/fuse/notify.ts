import { writeSync } from "node:fs";
import { putU64 } from "../bytes/u64.ts";
import type { Store } from "../readahead/readahead.ts";
import { connectionEnd } from "./connection-errors.ts";
import {
  EXPIRE_ONLY,
  INVAL_ENTRY,
  INVAL_INODE,
  NOTIFY_INVAL_ENTRY,
  NOTIFY_INVAL_INODE,
  NOTIFY_RESEND,
  NOTIFY_RETRIEVE,
  NOTIFY_STORE,
  OUT,
  OUT_HEADER,
  RETRIEVE,
  STORE,
} from "./wire.ts";

/*
 * Messages to the kernel that answer nothing, each to be written to the device at once. A write may wait for requests
 * that are being answered (INVAL_ENTRY for lookups in that directory), so never from a thread that serves, nor from
 * one that must not wait.
 */

/** The name leads to something else now, or to nothing: what is below it and not in use is forgotten. */
export const invalidateEntry = (parent: number, name: Uint8Array): Buffer => entry(parent, name, 0);

/**
 * The name is to be looked up again, for what it leads to has other attributes. A caller that has a reply, but has not
 * run since, has no inode yet that INVAL_INODE could find: this message waits for it.
 */
export const expireEntry = (parent: number, name: Uint8Array): Buffer => entry(parent, name, EXPIRE_ONLY);

function entry(parent: number, name: Uint8Array, flags: number): Buffer {
  const { message, v } = begin(NOTIFY_INVAL_ENTRY, INVAL_ENTRY.NAME + name.length + 1);
  putU64(v, INVAL_ENTRY.PARENT, parent);
  v.setUint32(INVAL_ENTRY.NAMELEN, name.length, true);
  v.setUint32(INVAL_ENTRY.FLAGS, flags, true);
  message.set(name, INVAL_ENTRY.NAME);
  return message;
}

/**
 * A directory has other attributes or entries now. Its listing is cached like pages of a file, and INVAL_ENTRY drops
 * that only for a name that the kernel knows; it comes after those, which wait for listings that are in flight.
 */
export function invalidateDirectory(node: number): Buffer {
  const { message, v } = begin(NOTIFY_INVAL_INODE, INVAL_INODE.SIZE);
  putU64(v, INVAL_INODE.NODEID, node);
  return message;
}

/**
 * Makes the kernel send a request (NOTIFY_REPLY, which wants no answer), and so wakes the worker that has waited
 * longest: a thread that blocks in a read of the device does not look around otherwise. ENOENT when the kernel has
 * forgotten the file; EINVAL for what is no regular file (since Linux 6.18).
 */
export function nudge(file: number): Buffer {
  const { message, v } = begin(NOTIFY_RETRIEVE, RETRIEVE.SIZE);
  putU64(v, RETRIEVE.NODEID, file);
  return message;
}

/** What another process has read and not answered is to be read again. EINVAL before Linux 6.9. */
export const resendAll = (): Buffer => begin(NOTIFY_RESEND, OUT_HEADER).message;

/**
 * Puts a whole file into the page cache. Refused with ENOENT when the kernel does not have the inode, or has not made it
 * yet, with ENOMEM for the moment.
 *
 * @param node as the kernel calls it
 */
export function storePages(fd: number, ...[node, data, at, size]: Parameters<Store>): ReturnType<Store> {
  const from = at - STORE.DATA;
  data.setUint32(from + OUT.LEN, STORE.DATA + size, true);
  data.setInt32(from + OUT.ERROR, NOTIFY_STORE, true);
  putU64(data, from + OUT.UNIQUE, 0);
  putU64(data, from + STORE.NODEID, node);
  putU64(data, from + STORE.OFFSET, 0);
  data.setUint32(from + STORE.SIZE, size, true);
  data.setUint32(from + STORE.SIZE + 4, 0, true);
  try {
    writeSync(fd, data, from, STORE.DATA + size, null);
    return "stored";
  } catch (error) {
    return connectionEnd(error) === undefined ? "refused" : "gone";
  }
}

function begin(code: number, length: number): { message: Buffer; v: DataView } {
  const message = Buffer.alloc(length);
  const v = new DataView(message.buffer, message.byteOffset, length);
  v.setUint32(OUT.LEN, length, true);
  v.setInt32(OUT.ERROR, code, true);
  return { message, v };
}
