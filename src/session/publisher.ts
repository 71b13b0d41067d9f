import { execFile } from "node:child_process";
import { write } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { promisify } from "node:util";
import { codeOf, messageOf } from "../bytes/errors.ts";
import { connectionEnd } from "../fuse/connection-errors.ts";
import { nudge } from "../fuse/notify.ts";
import { busyWord, CONTROL, epochWord } from "../fuse/control.ts";
import { OP } from "../vfs/opcodes.ts";
import type { Logger } from "../log/log.ts";
import { lastFile, INFLIGHT, inflightRow } from "../counters/inflight.ts";
import type { Mountpoint } from "../mounts/tracked-mountpoint.ts";
import type { Change, Numbered } from "./change.ts";
import type { Ended } from "./ended.ts";

/** Between two looks at who still answers by what was before. A slow disk may keep a worker for long. */
const LOOK_MS = 1;
const MAX_LOOK_MS = 200;
/** Changes that a worker may have waiting for it: each holds memory. */
const MAX_BEHIND = 64;
const CALLER_MS = 10_000;

/** Between two tries to wake who waits for a request. */
const WAKE_MS = 20;
/** For those that wait for a request to be woken. */
const IDLE_MS = 2_000;
/** For those that wait for a disk. */
const BUSY_MS = 30_000;

const writeTo = promisify(write);

/** The session that is told. */
export interface PublisherDeps {
  readonly fd: number;
  readonly place: Mountpoint;
  readonly control: Int32Array;
  /** What its workers are answering, see counters/inflight. */
  readonly inflightTable: SharedArrayBuffer;
  readonly log: Logger;
}

/** Brings changes to those who must know: the workers, and the kernel. */
export class Publisher {
  private readonly of: PublisherDeps;
  /** Where changes are sent, of each worker that serves, by its index. */
  private readonly ports = new Map<number, MessagePort>();
  private isOver = false;
  private isCalling = false;
  /** Each writes one after the other, in threads of libuv's, and may wait for requests, or for who holds a directory. */
  private readonly notifying = new Set<Promise<void>>();

  constructor(staged: PublisherDeps) {
    this.of = staged;
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
    if (this.ports.size === 0) this.isOver = true;
  }

  /** Every request that arrives from now on is answered with the change. @returns its number */
  publish(change: Change): number {
    const { control } = this.of;
    const number = Atomics.load(control, CONTROL.EPOCH) + 1;
    const numbered: Numbered = { number, change };
    for (const port of this.ports.values()) port.postMessage(numbered);
    Atomics.store(control, CONTROL.EPOCH, number);
    this.nudge(number);
    if (this.count((index) => this.isBehind(index, number - MAX_BEHIND)) > 0) this.call();
    return number;
  }

  /**
   * Resolves when no worker is in a request that it began before the change, or when the session is over. One that
   * waits for a request will take the change in before it answers that; one that reads tells the kernel of no node.
   *
   * @param most ms to wait
   */
  async synchronize(number: number, most = Number.POSITIVE_INFINITY): Promise<void> {
    const end = performance.now() + most;
    for (let ms = LOOK_MS; !this.isOver && performance.now() < end; ms = Math.min(2 * ms, MAX_LOOK_MS)) {
      if (this.count((index) => this.isBehind(index, number) && this.isBusy(index)) === 0) return;
      await sleep(ms);
    }
  }

  /** Wakes so many of those that wait for a request, where that can be done. */
  wake(count: number): void {
    const file = lastFile(this.of.inflightTable);
    if (file !== 0) void this.notify(Array.from({ length: count }, () => nudge(file)));
  }

  /** Tells the kernel, in order. Resolves when it has acted upon all; what it does not take is logged. */
  notify(messages: readonly Buffer[]): Promise<void> {
    const told = this.write(messages).finally(() => this.notifying.delete(told));
    this.notifying.add(told);
    return told;
  }

  /** Resolves when nobody writes to the device any more. */
  async close(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.notifying);
  }

  private async write(messages: readonly Buffer[]): Promise<void> {
    for (const message of messages) {
      if (this.isOver) return;
      await writeTo(this.of.fd, message).catch((error: unknown) => this.failed(error));
    }
  }

  /** Wakes those that wait, the one that has waited longest first: what is gone is in their memory still. */
  private nudge(number: number): void {
    this.wake(this.count((index) => this.isBehind(index, number)));
  }

  /** Whether a worker is inside a request. */
  get isAnswering(): boolean {
    return this.count((index) => Atomics.load(this.of.control, busyWord(index)) !== 0) > 0;
  }

  /** Wakes a thread that waits for a request, one way or the other. */
  wakeOne(): void {
    this.wake(1);
    this.call();
  }

  /** Where the kernel knows no file to be nudged with: another process asks for what is never answered from a cache. */
  private call(): void {
    if (this.isCalling) return;
    this.isCalling = true;
    // Not every request goes to another worker.
    const args = ["-f", ...Array.from({ length: 4 * this.ports.size }, () => this.of.place.path)];
    execFile("stat", args, { timeout: CALLER_MS, killSignal: "SIGKILL" }, () => {
      this.isCalling = false;
    });
  }

  private isBehind(index: number, number: number): boolean {
    return Atomics.load(this.of.control, epochWord(index)) < number;
  }

  private isBusy(index: number): boolean {
    if (Atomics.load(this.of.control, busyWord(index)) === 0) return false;
    return inflightRow(this.of.inflightTable, index)[INFLIGHT.OPCODE] !== OP.READ;
  }

  private count(isOne: (index: number) => boolean): number {
    let count = 0;
    for (const index of this.ports.keys()) if (isOne(index)) count++;
    return count;
  }

  /** ENOENT: the kernel does not know the node, so there is nothing to forget. */
  private failed(error: unknown): void {
    if (connectionEnd(error) !== undefined) this.isOver = true;
    else if (codeOf(error) !== "ENOENT")
      this.of.log.warn(`the kernel refused a notification: ${messageOf(error)}`);
  }
}

/**
 * Wakes threads that were told to leave until all have.
 *
 * @returns false when some would not
 */
export async function drainWorkers(publisher: Publisher, ended: Promise<Ended>): Promise<boolean> {
  let isOver = false;
  const over = ended.then(() => {
    isOver = true;
  });
  const begin = performance.now();
  while (!isOver) {
    const ms = performance.now() - begin;
    if (ms > BUSY_MS || (ms > IDLE_MS && !publisher.isAnswering)) return false;
    if (!publisher.isAnswering) publisher.wakeOne();
    await Promise.race([over, sleep(WAKE_MS)]);
  }
  return true;
}
