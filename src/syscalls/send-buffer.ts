import { systemCall } from "./system-call.ts";

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;

/**
 * Says how much a socket may be told that nobody has taken yet. The kernel takes at most net.core.wmem_max, and doubles it for its own
 * share.
 *
 * @throws SystemCallError
 */
export function setSendBuffer(fd: number, bytes: number): void {
  const value = Buffer.alloc(4);
  new DataView(value.buffer, value.byteOffset).setInt32(0, bytes, true);
  systemCall("setsockopt", "SO_SNDBUF", fd, SOL_SOCKET, SO_SNDBUF, value, value.length);
}
