import { systemCall } from "./system-call.ts";

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const POLLHUP = 0x10;

/** Two unix sockets that are connected with each other. @throws SystemCallError */
export function socketPair(): [ours: number, theirs: number] {
  const pair = Buffer.alloc(8);
  systemCall("socketpair", "AF_UNIX", AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair);
  return [pair.readInt32LE(0), pair.readInt32LE(4)];
}

/** Whether nobody has the other end of such a socket any more. @throws SystemCallError */
export function isAlone(fd: number): boolean {
  const [pollfd, now] = [Buffer.alloc(8), Buffer.alloc(16)];
  pollfd.writeInt32LE(fd, 0);
  systemCall("ppoll", "unix socket", pollfd, 1, now, null, 8);
  return (pollfd.readInt16LE(6) & POLLHUP) !== 0;
}
