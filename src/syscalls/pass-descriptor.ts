import { closeSync } from "node:fs";
import { bytesOf } from "../bytes/any-bytes.ts";
import { MAX_SOCKET_PATH } from "../bytes/limits.ts";
import { addressOf, systemCall } from "./system-call.ts";

/** Unix sockets. Source: include/linux/socket.h, include/uapi/asm-generic/socket.h; the same on all machines here. */
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

/** `struct msghdr` of a 64-bit kernel: name, its length, vectors, their number, control data, its length, flags. */
const MSGHDR = { IOV: 16, IOVLEN: 24, CONTROL: 32, CONTROLLEN: 40, SIZE: 56 } as const;
/** `struct cmsghdr` with one descriptor: length u64, level u32, type u32, the descriptor s32, padding. */
const CMSG = { LEN: 0, LEVEL: 8, TYPE: 12, FD: 16, LENGTH: 20, SPACE: 24 } as const;
/** Longest that the other side may take, s. */
const TIMEOUT = 5;
const PIECE = 64 * 1024;

/**
 * Connects to a unix socket and sends bytes, a descriptor with the first of them. Blocks, for as long as the other side
 * lets it, up to a few seconds.
 *
 * @throws SystemCallError
 */
export function sendDescriptor(path: string, bytes: Uint8Array, fd: number): void {
  const socket = connectTo(path);
  try {
    const control = controlOf(fd);
    for (let at = 0; at < bytes.length; )
      at += transfer("sendmsg", path, socket, bytes.subarray(at), at === 0 ? control : undefined);
  } finally {
    closeSync(socket);
  }
}

/**
 * Connects to a unix socket and takes what comes until the other side closes it.
 *
 * @param isTrusted called with the user id of the other side; nothing is taken from one that is not
 * @param most bytes; more is an error
 * @returns undefined as descriptor: none came
 * @throws SystemCallError, Error
 */
export function receiveDescriptor(
  path: string,
  isTrusted: (uid: number) => boolean,
  most: number,
): { bytes: Buffer; fd: number | undefined } {
  const socket = connectTo(path);
  let fd: number | undefined;
  try {
    const uid = peerOf(socket, path);
    if (!isTrusted(uid)) throw new Error(`${path}: user ${uid} is on the other side`);
    const pieces: Buffer[] = [];
    for (let total = 0; ; ) {
      const piece = Buffer.alloc(PIECE);
      // A second one does not fit: the kernel closes it.
      const control = fd === undefined ? Buffer.alloc(CMSG.LENGTH) : undefined;
      const length = transfer("recvmsg", path, socket, piece, control);
      if (control?.readInt32LE(CMSG.LEVEL) === SOL_SOCKET) fd = control.readInt32LE(CMSG.FD);
      if (length === 0) return { bytes: Buffer.concat(pieces), fd };
      total += length;
      if (total > most) throw new Error(`${path}: more than ${most} bytes came`);
      pieces.push(piece.subarray(0, length));
    }
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw error;
  } finally {
    closeSync(socket);
  }
}

function connectTo(path: string): number {
  const name = bytesOf(path);
  if (name.length > MAX_SOCKET_PATH)
    throw new Error(`${path}: longer than a socket's path may be (${MAX_SOCKET_PATH} bytes)`);
  const address = Buffer.alloc(2 + MAX_SOCKET_PATH + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  const socket = systemCall("socket", "AF_UNIX", AF_UNIX, SOCK_STREAM_CLOEXEC, 0);
  try {
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(BigInt(TIMEOUT), 0);
    for (const which of [SO_RCVTIMEO, SO_SNDTIMEO])
      systemCall("setsockopt", "timeout", socket, SOL_SOCKET, which, timeout, timeout.length);
    systemCall("connect", path, socket, address, address.length);
    return socket;
  } catch (error) {
    closeSync(socket);
    throw error;
  }
}

/** @returns user id of the process that listens */
function peerOf(socket: number, path: string): number {
  const credentials = Buffer.alloc(12); // pid, uid, gid
  const length = Buffer.alloc(4);
  length.writeInt32LE(credentials.length);
  systemCall("getsockopt", `SO_PEERCRED, ${path}`, socket, SOL_SOCKET, SO_PEERCRED, credentials, length);
  return credentials.readUInt32LE(4);
}

function controlOf(fd: number): Buffer {
  const control = Buffer.alloc(CMSG.SPACE);
  control.writeBigUInt64LE(BigInt(CMSG.LENGTH), CMSG.LEN);
  control.writeInt32LE(SOL_SOCKET, CMSG.LEVEL);
  control.writeInt32LE(SCM_RIGHTS, CMSG.TYPE);
  control.writeInt32LE(fd, CMSG.FD);
  return control;
}

/** @returns bytes of `data` that were sent or filled */
function transfer(
  call: "sendmsg" | "recvmsg",
  about: string,
  socket: number,
  data: Uint8Array,
  control: Buffer | undefined,
): number {
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(addressOf(data), 0);
  vector.writeBigUInt64LE(BigInt(data.length), 8);
  const header = Buffer.alloc(MSGHDR.SIZE);
  header.writeBigUInt64LE(addressOf(vector), MSGHDR.IOV);
  header.writeBigUInt64LE(1n, MSGHDR.IOVLEN);
  if (control !== undefined) {
    header.writeBigUInt64LE(addressOf(control), MSGHDR.CONTROL);
    header.writeBigUInt64LE(BigInt(control.length), MSGHDR.CONTROLLEN);
  }
  return systemCall(call, about, socket, header, call === "sendmsg" ? MSG_NOSIGNAL : MSG_CMSG_CLOEXEC);
}
