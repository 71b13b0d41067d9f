import { bytesOf } from "../bytes/any-bytes.ts";
import { systemCall } from "./system-call.ts";

/** Loop devices. Source: include/uapi/linux/loop.h. */
const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a; // Linux 5.8
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;

/** `struct loop_config`, 304 bytes, holding a `struct loop_info64` from byte 8 on; little-endian. */
const CONFIG_SIZE = 304;
const FD = 0; //           u32
const BLOCK_SIZE = 4; //   u32
const FLAGS = 8 + 52; //   u32
const FILE_NAME = 8 + 56; // 64 bytes with NUL, for people
const FILE_NAME_SIZE = 64;

/**
 * @param control /dev/loop-control, open
 * @returns the number of a device that nothing is attached to, made when there is none; another process may be faster
 */
export const freeLoop = (control: number): number =>
  systemCall("ioctl", "LOOP_CTL_GET_FREE", control, LOOP_CTL_GET_FREE, 0);

/**
 * Attaches a file to a loop device, read-only, with the smallest block size, until its last user closes it.
 *
 * @param device the device, open
 * @param file the file, open; the device holds it from now on
 * @param name shown by losetup, cut to 63 bytes
 */
export function configureLoop(device: number, file: number, name: string): void {
  const config = new Uint8Array(CONFIG_SIZE);
  const v = new DataView(config.buffer);
  v.setUint32(FD, file, true);
  v.setUint32(BLOCK_SIZE, 512, true);
  v.setUint32(FLAGS, LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR, true);
  config.set(bytesOf(name).subarray(0, FILE_NAME_SIZE - 1), FILE_NAME);
  systemCall("ioctl", `LOOP_CONFIGURE, ${name}`, device, LOOP_CONFIGURE, config);
}
