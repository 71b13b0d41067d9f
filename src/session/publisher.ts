import { execFile } from "node:child_process";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { INFLIGHT, inflightRow, lastFile } from "../counters/inflight.ts";
import { nudge } from "../fuse/notify.ts";
import { busyWord, CONTROL, epochWord } from "../fuse/control.ts";
import type { Mountpoint } from "../mounts/tracked-mountpoint.ts";
import { OP } from "../vfs/opcodes.ts";
import type { Change, Numbered } from "./change.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Ended } from "./ended.ts";
import type { Notifier } from "./notifier.ts";

/** Between two looks at which workers still answer by the images before a change. A slow disk may keep one for long. */
const POLL_MS = 1;
const MAX_POLL_MS = 200;
/** Changes that may wait for a worker to take them in: each holds memory. */
const MAX_BEHIND = 64;
const PROBE_MS = 10_000;

/** Between two tries to wake workers that wait for a request. */
const WAKE_MS = 20;
/** How long workers that wait for a request may take to be woken. */
const IDLE_MS = 2_000;
/** How long workers that wait for a disk may take. */
const BUSY_MS = 30_000;

/** What a publisher works with. */
export interface PublisherDeps {
  readonly notifier: Notifier;
  readonly control: Int32Array;
  /** See counters/inflight. */
  readonly inflightTable: SharedArrayBuffer;
  /** Has another process make so many requests that are never answered from a cache. */
  readonly probe: (requests: number) => Promise<unknown>;
  readonly clock?: Clock;
}

/** Asks for the mount's STATFS, from another process: this one must not wait for its own mount. */
export const probeMount =
  (place: Mountpoint) =>
  (requests: number): Promise<unknown> =>
    new Promise<void>((resolve) => {
      const args = ["-f", ...Array.from({ length: requests }, () => place.path)];
      execFile("stat", args, { timeout: PROBE_MS, killSignal: "SIGKILL" }, () => resolve());
    });

/**
 * Hands changes of the images to the workers, as RCU does: workers never wait for a change, and what was before it may be
 * given up after a grace period, when no worker goes by it any more.
 */
export class Publisher {
  private readonly deps: PublisherDeps;
  private readonly clock: Clock;
  /** Where changes are sent, of each worker that serves, by its index. */
  private readonly ports = new Map<number, MessagePort>();
  private isOver = false;
  private isProbing = false;

  constructor(deps: PublisherDeps) {
    this.deps = deps;
    this.clock = deps.clock ?? systemClock;
  }

  /** @returns where the worker gets every later change from; it has those until now */
  subscribe(index: number): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.ports.set(index, port1);
    return port2;
  }

  /** The worker has ended. With the last one the session is over. */
  unsubscribe(index: number): void {
    this.ports.get(index)?.close();
    this.ports.delete(index);
    if (this.ports.size === 0) this.end();
  }

  /** Every request that arrives from now on is answered with the change. @returns its number */
  publish(change: Change): number {
    const { control } = this.deps;
    const number = Atomics.load(control, CONTROL.EPOCH) + 1;
    const numbered: Numbered = { number, change };
    for (const port of this.ports.values()) port.postMessage(numbered);
    Atomics.store(control, CONTROL.EPOCH, number);
    // Idle workers take it in, too, and drop their references to images that were freed.
    this.wake(this.count((index) => this.isBehind(index, number)));
    if (this.count((index) => this.isBehind(index, number - MAX_BEHIND)) > 0) this.probe();
    return number;
  }

  /**
   * Waits for a grace period: resolves when no worker is in a request that it began before the change, or when the
   * session is over. A worker that waits for a request will take the change in before it answers that; one that is in a
   * READ tells the kernel of no node.
   *
   * @param most ms to wait
   */
  async synchronize(number: number, most = Number.POSITIVE_INFINITY): Promise<void> {
    const end = this.clock.now() + most;
    for (let ms = POLL_MS; !this.isOver && this.clock.now() < end; ms = Math.min(2 * ms, MAX_POLL_MS)) {
      if (this.count((index) => this.isBehind(index, number) && this.isBusy(index)) === 0) return;
      await this.clock.sleep(ms);
    }
  }

  /** Whether a worker is inside a request. */
  get isAnswering(): boolean {
    return this.count((index) => this.isInRequest(index)) > 0;
  }

  /** Wakes so many workers that wait for a request, if the kernel knows a file for that. */
  wake(count: number): void {
    const file = lastFile(this.deps.inflightTable);
    if (file !== 0) void this.notify(Array.from({ length: count }, () => nudge(file)));
  }

  /** Wakes a worker that waits for a request, one way or the other. */
  wakeOne(): void {
    this.wake(1);
    this.probe();
  }

  /** Tells the kernel, in order. Resolves when it has acted upon all. */
  notify(messages: readonly Buffer[]): Promise<void> {
    return this.deps.notifier.notify(messages);
  }

  /** Resolves when nothing is being written to the device any more. */
  async close(): Promise<void> {
    this.end();
    await this.deps.notifier.close();
  }

  private end(): void {
    this.isOver = true;
    this.deps.notifier.end();
  }

  /** For workers that cannot be nudged. */
  private probe(): void {
    if (this.isProbing) return;
    this.isProbing = true;
    // Not every request goes to another worker.
    const ended = () => {
      this.isProbing = false;
    };
    this.deps.probe(4 * this.ports.size).then(ended, ended);
  }

  private isBehind(index: number, number: number): boolean {
    return Atomics.load(this.deps.control, epochWord(index)) < number;
  }

  private isInRequest(index: number): boolean {
    return Atomics.load(this.deps.control, busyWord(index)) !== 0;
  }

  private isBusy(index: number): boolean {
    return (
      this.isInRequest(index) && inflightRow(this.deps.inflightTable, index)[INFLIGHT.OPCODE] !== OP.READ
    );
  }

  private count(isOne: (index: number) => boolean): number {
    let count = 0;
    for (const index of this.ports.keys()) if (isOne(index)) count++;
    return count;
  }
}

/**
 * Wakes workers that were told to leave until all have.
 *
 * @returns false when some would not
 */
export async function drainWorkers(
  publisher: Pick<Publisher, "isAnswering" | "wakeOne">,
  ended: Promise<Ended>,
  clock = systemClock,
): Promise<boolean> {
  let isOver = false;
  const over = ended.then(() => {
    isOver = true;
  });
  const begin = clock.now();
  while (!isOver) {
    const ms = clock.now() - begin;
    if (ms > BUSY_MS || (ms > IDLE_MS && !publisher.isAnswering)) return false;
    if (!publisher.isAnswering) publisher.wakeOne();
    await Promise.race([over, clock.sleep(WAKE_MS)]);
  }
  return true;
}
