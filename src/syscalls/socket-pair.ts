import { systemCall } from "./system-call.ts";

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;

/** Two unix sockets that are connected with each other. @throws SystemCallError */
export function socketPair(): [ours: number, theirs: number] {
  const pair = Buffer.alloc(8);
  systemCall("socketpair", "AF_UNIX", AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair);
  return [pair.readInt32LE(0), pair.readInt32LE(4)];
}
