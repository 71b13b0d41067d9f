import { closeSync, openSync, writeSync } from "node:fs";
import { messageOf } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";

/** How often requests are counted while they come in numbers. */
const PERIOD_MS = 20;
/** Requests a period from which waking a sleeping CPU costs more than keeping it awake. */
const BUSY = 40;
/** Quiet periods after which the CPUs may sleep again. */
const QUIET_PERIODS = 5;

/**
 * Keeps idle CPUs from sleeping deeply while requests come one after another.
 *
 * A FUSE request is two hand-overs between processes, and on an idle machine each wakes a halted CPU; that,
 * not the work, is most of a request's time (docs/performance.md has the ratios). The kernel's interface for
 * it is a PM QoS request: zero written to /dev/cpu_dma_latency, held as long as the file is open.
 *
 * @see https://docs.kernel.org/power/pm_qos_interface.html
 */
export class LowLatency {
  private readonly requests: () => number;
  private readonly rearm: () => void;
  private readonly log: Logger;
  private timer: NodeJS.Timeout | undefined;
  private fd: number | undefined;
  private isDenied = false;
  private last = 0;
  private quiet = 0;

  /**
   * @param requests how many were served so far
   * @param rearm asks the workers to tell when they are busy again
   */
  constructor(requests: () => number, rearm: () => void, log: Logger) {
    this.requests = requests;
    this.rearm = rearm;
    this.log = log;
  }

  /** Told that requests come in numbers; watches until they do no longer. */
  watch(): void {
    if (this.timer !== undefined || this.isDenied) return;
    this.last = this.requests();
    this.quiet = 0;
    this.timer = setInterval(() => this.look(), PERIOD_MS);
  }

  /** Lets go; safe to call at any time. */
  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.release();
  }

  private look(): void {
    const now = this.requests();
    const isBusy = now - this.last >= BUSY;
    this.last = now;
    this.quiet = isBusy ? 0 : this.quiet + 1;
    if (isBusy) this.hold();
    if (this.isDenied || this.quiet >= QUIET_PERIODS) {
      this.close();
      if (!this.isDenied) this.rearm();
    }
  }

  private hold(): void {
    if (this.fd !== undefined) return;
    try {
      this.fd = openSync("/dev/cpu_dma_latency", "w");
      writeSync(this.fd, new Int32Array([0]));
    } catch (error) {
      this.isDenied = true;
      this.log.debug(`CPUs may sleep between requests: ${messageOf(error)}`);
    }
  }

  private release(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }
}
