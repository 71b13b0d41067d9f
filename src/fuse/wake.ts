import { writeSync } from "node:fs";
import { OUT, OUT_HEADER } from "./wire.ts";

const NOTIFY_RETRIEVE = 5;
const RETRIEVE_SIZE = 32; // notify_unique u64, nodeid u64, offset u64, size u32, padding u32
const NODEID = OUT_HEADER + 8;
const ROOT = 1;

/**
 * Makes the kernel send one request: asking for zero cached bytes of the root brings a NOTIFY_REPLY, which
 * wakes one worker out of its blocking read, whether or not anyone uses the mount or can reach it. It is the
 * only way from plain Node to get a worker's attention: closing the descriptor does not wake a reader.
 *
 * @returns false when the session is gone and nobody waits
 */
export function wakeWorker(fd: number): boolean {
  const message = new DataView(new ArrayBuffer(OUT_HEADER + RETRIEVE_SIZE));
  message.setUint32(OUT.LEN, message.byteLength, true);
  message.setInt32(OUT.ERROR, NOTIFY_RETRIEVE, true);
  message.setUint32(NODEID, ROOT, true);
  try {
    writeSync(fd, message);
    return true;
  } catch {
    return false;
  }
}
