import { busyWord, CONTROL, STALL_WATCH } from "../fuse/control.ts";
import { statOf } from "../proc/processes.ts";
import { OP } from "../vfs/opcodes.ts";
import type { Logger } from "../log/log.ts";
import { inflight, INFLIGHT, type InflightRow, inflightRows } from "../counters/inflight.ts";
import type { WorkerPool } from "./worker-pool.ts";
import { answerKilledCallers } from "./killed-callers.ts";
import type { Publisher } from "./publisher.ts";

/** Between two looks when READs come; after some looks that found none blocked; while nothing changes but some are. */
const LOOK_MS = 10;
const MOST_MS = 40;
const SLOW_LOOK_MS = 250;
/** A READ that takes longer may take for ever; one from a disk that works seldom does. */
const BLOCKED_MS = 5;
/** A caller that was killed is let go after this; most readers need no help in it. */
const KILLED_MS = 200;
/** Workers that are started at once: one, and twice as many each time that is not enough within this time. */
const MAX_AT_ONCE = 8;
const STORM_MS = 1_000;
/** How long spare workers are kept when others would do: to start one takes 40 ms of a CPU. */
const LINGER_MS = 5_000;

/** The session that is watched. */
export interface StallMonitorDeps {
  readonly fd: number;
  readonly pool: WorkerPool;
  readonly control: Int32Array;
  /** See metrics/inflight. */
  readonly inflightTable: SharedArrayBuffer;
  readonly publisher: Publisher;
  readonly log: Logger;
}

/**
 * Keeps one worker free while READs hang: a READ of a slow tar keeps its worker, which then can tell nobody that others
 * wait. More join while all are blocked; who is not needed any more is sent away.
 *
 * Looks while READs come. When none came between two looks it stops, and the next READ wakes it: an idle session costs
 * nothing.
 */
export class StallMonitor {
  private readonly of: StallMonitorDeps;
  /** See metrics/inflight. */
  private readonly slots: readonly InflightRow[];
  private timer: NodeJS.Timeout | undefined;
  private pause = 0;
  private isListening = false;
  private isOver = false;
  private batch = 1;
  private relievedAt = 0;
  /** When callers are looked at again, ms. */
  private nextKilled = 0;
  /** Since when there are too many, ms. */
  private surplusSince = Number.POSITIVE_INFINITY;

  constructor(watched: StallMonitorDeps) {
    this.of = watched;
    this.slots = inflightRows(watched.inflightTable);
    this.rest(undefined);
  }

  close(): void {
    this.isOver = true;
    clearTimeout(this.timer);
    Atomics.notify(this.of.control, CONTROL.STALL_WATCH);
  }

  private look(): void {
    if (this.isOver) return;
    const { fd, pool, control, inflightTable } = this.of;
    const came =
      Atomics.exchange(control, CONTROL.STALL_WATCH, STALL_WATCH.NO_READ) === STALL_WATCH.READ_CAME;
    const now = performance.timeOrigin + performance.now();
    let busy = 0;
    let blocked = 0;
    for (const index of pool.indices()) {
      busy += Atomics.load(control, busyWord(index));
      const slot = this.slots[index];
      if (slot[INFLIGHT.OPCODE] === OP.READ && slot[INFLIGHT.SINCE] < now - BLOCKED_MS) blocked++;
    }
    const isAfoot = blocked > 0 && blocked === pool.workers && this.addOverflow(now);
    if (blocked > 0 && now >= this.nextKilled) {
      this.nextKilled = now + SLOW_LOOK_MS;
      answerKilledCallers(fd, inflightTable, now - KILLED_MS);
    }
    const surplus = this.retireSurplus(blocked, now);
    // All that are in a request must be in one that was looked at: a READ that just began said so before this look.
    if (came && blocked === 0) this.again(Math.min(2 * this.pause, MOST_MS));
    else if (came || isAfoot || busy > blocked) this.again(LOOK_MS);
    else this.rest(blocked > 0 || surplus > 0 ? SLOW_LOOK_MS : undefined);
  }

  /** All are in READs for long. @returns false when nobody can help */
  private addOverflow(now: number): boolean {
    const { pool, log, inflightTable } = this.of;
    if (!inflight(inflightTable).every(({ thread }) => isAsleep(thread))) return true; // soon it may be free, or blocked
    const { workers, overflow } = pool;
    // One is enough for a disk that is slow; when that is blocked at once, many more may be about to.
    this.batch = now - this.relievedAt < STORM_MS ? Math.min(2 * this.batch, MAX_AT_ONCE) : 1;
    this.relievedAt = now;
    const joined = pool.growOverflow(this.batch);
    if (overflow === 0 && pool.overflow > 0)
      log.info(`all ${workers} workers wait for slow reads: starting more`);
    return joined > 0;
  }

  /** Sends spare workers away when others would do. @returns how many are too many */
  private retireSurplus(blocked: number, now: number): number {
    const { pool, control, publisher } = this.of;
    const free = pool.workers - blocked;
    const surplus = Math.max(0, Math.min(pool.overflow, free - pool.limit));
    if (surplus === 0) this.surplusSince = Number.POSITIVE_INFINITY;
    else this.surplusSince = Math.min(this.surplusSince, now);
    if (surplus === 0) Atomics.store(control, CONTROL.RETIRE, 0);
    else if (now - this.surplusSince >= LINGER_MS) {
      this.surplusSince = now; // those that leave are counted until their threads have ended
      Atomics.store(control, CONTROL.RETIRE, surplus);
      publisher.wake(free);
    }
    return surplus;
  }

  private again(ms: number): void {
    clearTimeout(this.timer);
    this.pause = ms;
    this.timer = setTimeout(() => this.look(), ms).unref();
  }

  /** Until the next READ. @param most ms, if there is something to be looked after */
  private rest(most: number | undefined): void {
    const { control } = this.of;
    const before = Atomics.compareExchange(
      control,
      CONTROL.STALL_WATCH,
      STALL_WATCH.NO_READ,
      STALL_WATCH.ASLEEP,
    );
    if (before === STALL_WATCH.READ_CAME) this.again(LOOK_MS);
    else if (most !== undefined) this.again(most);
    if (before !== STALL_WATCH.READ_CAME && !this.isListening) this.listen();
  }

  private wake(): void {
    this.isListening = false;
    this.pause = LOOK_MS / 2;
    this.look();
  }

  private listen(): void {
    const waiting = Atomics.waitAsync(this.of.control, CONTROL.STALL_WATCH, STALL_WATCH.ASLEEP);
    this.isListening = waiting.async;
    if (!waiting.async)
      this.again(LOOK_MS); // one came just now
    else waiting.value.then(() => this.wake());
  }
}

/** Whether it waits for what it reads, and not for a CPU: others would only make that worse. */
const isAsleep = (thread: number): boolean => thread === 0 || statOf(thread)?.[0] !== "R";
