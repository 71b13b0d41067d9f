import { closeSync, readFileSync } from "node:fs";
import { constants, open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { NbdControl, type NbdDevice } from "../syscalls/nbd-device.ts";
import { isAlone, socketPair } from "../syscalls/socket-pair.ts";

/** A device of the kernel's that is to be served. */
export interface DeviceToServe {
  /** `/dev/nbdN`, and that number. */
  readonly path: string;
  readonly index: number;
  readonly connections: number;
}

/** Between two looks at whether the device can be had; whether a connection of it has died. */
const LOOK_MS = 200;
const KEEP_MS = 1000;
/** As nydusd: a request that has no answer by then goes to another connection, s. */
const REQUEST_SECONDS = 60;
/** How long requests wait for the next process, s. */
const PATIENCE_SECONDS = 60;

/**
 * The kernel as the client of a disk. Its device outlives this process by a minute, in which requests wait: the next process that
 * serves the same disk goes on with it.
 */
export class NbdAttachment {
  private readonly control: NbdControl;
  private readonly wanted: DeviceToServe;
  private readonly device: NbdDevice;
  private readonly serve: (fd: number) => Promise<void>;
  private readonly log: Logger;
  private readonly lose: () => void;
  private isEnding = false;
  private isAttached = false;
  /** When somebody else has ended the device. */
  readonly lost: Promise<void>;

  /**
   * @param disk what it shows; `backend` tells it from others
   * @param serve answers requests that come from a socket, until it ends
   * @throws OperationalError where the kernel has no NBD, or this process may not order it about
   */
  constructor(
    wanted: DeviceToServe,
    disk: Pick<NbdDevice, "size" | "blockSize" | "flags" | "backend">,
    serve: (fd: number) => Promise<void>,
    log: Logger,
  ) {
    this.wanted = wanted;
    this.device = { ...disk, index: wanted.index, timeout: REQUEST_SECONDS, patience: PATIENCE_SECONDS };
    this.serve = serve;
    this.log = log;
    let lose = () => {};
    this.lost = new Promise((resolve) => {
      lose = resolve;
    });
    this.lose = lose;
    this.control = controlOf(wanted.path);
  }

  /**
   * Makes the device, or goes on with one that another process served, when that has ended.
   *
   * @returns false when this one ended before
   * @throws OperationalError when the device is somebody else's
   */
  async attach(): Promise<boolean> {
    for (let isTold = false; !this.isEnding; await delay(LOOK_MS)) {
      const server = this.attribute("pid");
      this.isAttached = server === undefined ? this.connect() : this.takeOver();
      if (this.isAttached) {
        void this.keep();
        return true;
      }
      if (isTold || server === undefined) continue;
      isTold = true;
      this.log.info(`${this.wanted.path}: process ${server} serves it; this one waits for that to end`);
    }
    return false;
  }

  /** Ends the device, or leaves it, when it is in use, to who serves it next. */
  async end(): Promise<void> {
    this.isEnding = true;
    const { path } = this.wanted;
    if (this.isAttached && this.attribute("pid") !== undefined) {
      if (await isInUse(path))
        this.log.warn(
          `${path}: is in use and stays; what reads it waits up to ${PATIENCE_SECONDS} s for the next process`,
        );
      else this.disconnect();
    }
    this.control.close();
  }

  private disconnect(): void {
    try {
      this.control.disconnect(this.device);
    } catch (error) {
      if (this.attribute("pid") !== undefined) throw error; // else somebody was faster
    }
  }

  private connect(): boolean {
    const pairs = Array.from({ length: this.wanted.connections }, socketPair);
    try {
      this.control.connect(
        this.device,
        pairs.map(([, theirs]) => theirs),
      );
    } catch (error) {
      for (const [ours] of pairs) closeSync(ours);
      if (codeOf(error) === "EBUSY") return false;
      throw new OperationalError(`${this.wanted.path}: ${messageOf(error)}`);
    } finally {
      for (const [, theirs] of pairs) closeSync(theirs);
    }
    for (const [ours] of pairs) void this.serve(ours);
    return true;
  }

  /**
   * All connections that are dead, however many the device has.
   *
   * @returns whether there was one at least
   */
  private takeOver(): boolean {
    if (!this.isOurs()) return false;
    for (let taken = 0; ; taken++) {
      const [ours, theirs] = socketPair();
      try {
        this.control.reconnect(this.device, [theirs]);
      } catch {
        closeSync(ours); // the device has gone in between: the next look tells
        return taken > 0;
      } finally {
        closeSync(theirs);
      }
      // The order succeeds also where there is nothing to replace. A socket that was not wanted has been let go of by now, in
      // drivers/block/nbd.c before the order returns: no time has to pass until that shows.
      if (isAlone(ours)) {
        closeSync(ours);
        return taken > 0;
      }
      void this.serve(ours);
    }
  }

  /**
   * Replaces connections as they die: the kernel gives up one on which an answer takes too long, and those of the process before
   * need not have ended all at once.
   */
  private async keep(): Promise<void> {
    try {
      for (; !this.isEnding; await delay(KEEP_MS)) {
        if (this.attribute("pid") === undefined) {
          this.log.info(`${this.wanted.path}: somebody else ended it`);
          return this.lose();
        }
        this.takeOver();
      }
    } catch (error) {
      this.log.warn(messageOf(error));
      this.lose();
    }
  }

  /** @returns false when it is nobody's any more. @throws OperationalError when it shows another disk */
  private isOurs(): boolean {
    const other = this.attribute("backend");
    if (other === this.device.backend) return true;
    if (this.attribute("pid") === undefined) return false;
    const { path } = this.wanted;
    throw new OperationalError(
      `${path}: shows another disk already${other === undefined ? ", or Linux is older than 5.14 and does not say which" : ""}`,
      { advice: `nbd-client -d ${path} ends it` },
    );
  }

  private attribute(name: string): string | undefined {
    try {
      return readFileSync(`/sys/block/nbd${this.wanted.index}/${name}`, "utf8").trim();
    } catch {
      return undefined;
    }
  }
}

function controlOf(path: string): NbdControl {
  try {
    return new NbdControl();
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw new OperationalError(`${path}: ${messageOf(error)}`);
    throw new OperationalError(`${path}: this kernel has no network block devices`, {
      advice:
        "modprobe nbd, where it is a module; --socket serves the disk to everything else that speaks NBD",
    });
  }
}

/** Whether it is mounted, or a part of another device. Not by a call that blocks: opening may read, and this thread answers. */
async function isInUse(path: string): Promise<boolean> {
  try {
    await (await open(path, constants.O_RDONLY | constants.O_EXCL)).close();
    return false;
  } catch (error) {
    return codeOf(error) === "EBUSY";
  }
}
