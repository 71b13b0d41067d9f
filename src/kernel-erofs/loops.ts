import { closeSync, openSync, readFileSync } from "node:fs";
import { codeOf } from "../bytes/errors.ts";
import { configureLoop, freeLoop } from "../syscalls/loop.ts";
import { mknodBlock } from "../syscalls/mknod.ts";

/** Another process took the device first, or removed it: the next one may be free. */
const RACES = new Set(["EBUSY", "ENXIO", "ENODEV"]);
const TRIES = 64;

/**
 * Loop devices that files were attached to. Each clears itself when its last user closes it, and until a mount
 * has them that user is this process: whenever it ends, nothing is left.
 */
export class Loops {
  private readonly control: number;
  private readonly devices: number[] = [];

  /** @throws the system error of opening /dev/loop-control */
  constructor() {
    this.control = openSync("/dev/loop-control", "r+");
  }

  /**
   * @param file open for reading; held by the device from now on
   * @param name for people
   * @returns path of the device
   */
  attach(file: number, name: string): string {
    for (let tries = 1; ; tries++) {
      let device: number | undefined;
      try {
        const number = freeLoop(this.control);
        device = openDevice(number);
        configureLoop(device, file, name);
        this.devices.push(device);
        return pathOf(number);
      } catch (error) {
        if (device !== undefined) closeSync(device);
        if (tries === TRIES || !RACES.has(codeOf(error))) throw error;
      }
    }
  }

  /** Lets go of the devices: those that nothing is mounted from clear themselves now. */
  close(): void {
    for (const device of this.devices.splice(0)) closeSync(device);
    closeSync(this.control);
  }
}

const pathOf = (number: number): string => `/dev/loop${number}`;

function openDevice(number: number): number {
  const path = pathOf(number);
  try {
    return openSync(path, "r");
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
  // A container whose /dev is no devtmpfs: new devices do not appear there by themselves.
  const [major = 0, minor = 0] = readFileSync(`/sys/block/loop${number}/dev`, "latin1")
    .split(":")
    .map(Number);
  try {
    mknodBlock(path, major, minor);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
  return openSync(path, "r");
}
