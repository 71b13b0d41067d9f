import { INFLIGHT, type InflightRow, inflight, inflightRows } from "../counters/inflight.ts";
import { busyWord, CONTROL, STALL_WATCH } from "../fuse/control.ts";
import type { Logger } from "../log/log.ts";
import { OP } from "../vfs/opcodes.ts";
import type { Clock } from "./clock.ts";
import type { Publisher } from "./publisher.ts";
import type { WorkerPool } from "./worker-pool.ts";

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
/** How long overflow workers are kept when others would do: to start one takes 40 ms of a CPU. */
const LINGER_MS = 5_000;

/** The session that is watched. */
export interface StallMonitorDeps {
  readonly pool: Pick<WorkerPool, "limit" | "workers" | "overflow" | "indices" | "growOverflow">;
  readonly publisher: Pick<Publisher, "wake">;
  readonly control: Int32Array;
  /** See counters/inflight. */
  readonly inflightTable: SharedArrayBuffer;
  readonly log: Logger;
  readonly clock: Clock;
  /** Whether a thread waits for what it reads, and not for a CPU: more workers would only make that worse. */
  readonly isAsleep: (thread: number) => boolean;
  /** Answers READs that began before that, ms since 1970, and whose callers were killed. */
  readonly answerKilledCallers: (before: number) => void;
}

/**
 * Keeps one worker free while READs hang: a READ of a slow tar blocks its worker, which then cannot tell the main thread
 * that requests wait. Starts overflow workers while all are blocked, and has them leave when they are not needed.
 *
 * Looks while READs come. When none came between two looks it stops, and the next READ wakes it: an idle session costs
 * nothing.
 */
export class StallMonitor {
  private readonly deps: StallMonitorDeps;
  private readonly rows: readonly InflightRow[];
  private cancel: () => void = () => {};
  private pause = 0;
  private isListening = false;
  private isOver = false;
  private batch = 1;
  private lastOverflowAt = Number.NEGATIVE_INFINITY;
  /** When killed callers are looked for again. */
  private nextKilled = 0;
  /** Since when there are more workers than are needed. */
  private surplusSince = Number.POSITIVE_INFINITY;

  constructor(deps: StallMonitorDeps) {
    this.deps = deps;
    this.rows = inflightRows(deps.inflightTable);
    this.rest(undefined);
  }

  close(): void {
    this.isOver = true;
    this.cancel();
    Atomics.notify(this.deps.control, CONTROL.STALL_WATCH);
  }

  private look(): void {
    if (this.isOver) return;
    const { pool, control, clock } = this.deps;
    const came =
      Atomics.exchange(control, CONTROL.STALL_WATCH, STALL_WATCH.NO_READ) === STALL_WATCH.READ_CAME;
    const now = clock.now();
    let busy = 0;
    let blocked = 0;
    for (const index of pool.indices()) {
      busy += Atomics.load(control, busyWord(index));
      const row = this.rows[index];
      if (row[INFLIGHT.OPCODE] === OP.READ && row[INFLIGHT.SINCE] < now - BLOCKED_MS) blocked++;
    }
    const mayChange = blocked > 0 && blocked === pool.workers && this.addOverflow(now);
    if (blocked > 0 && now >= this.nextKilled) {
      this.nextKilled = now + SLOW_LOOK_MS;
      this.deps.answerKilledCallers(now - KILLED_MS);
    }
    const surplus = this.retireSurplus(blocked, now);
    // All that are in a request must be in one that was looked at: a READ that just began said so before this look.
    if (came && blocked === 0) this.lookAgain(Math.min(2 * this.pause, MOST_MS));
    else if (came || mayChange || busy > blocked) this.lookAgain(LOOK_MS);
    else this.rest(blocked > 0 || surplus > 0 ? SLOW_LOOK_MS : undefined);
  }

  /** All workers are in READs for long. @returns false when no other can be started */
  private addOverflow(now: number): boolean {
    const { pool, log, inflightTable, isAsleep } = this.deps;
    // A worker that runs may soon be free, or blocked.
    if (!inflight(inflightTable).every(({ thread }) => isAsleep(thread))) return true;
    const { workers, overflow } = pool;
    // One is enough for a disk that is slow; when that is blocked at once, many more may be about to.
    this.batch = now - this.lastOverflowAt < STORM_MS ? Math.min(2 * this.batch, MAX_AT_ONCE) : 1;
    this.lastOverflowAt = now;
    const started = pool.growOverflow(this.batch);
    if (overflow === 0 && pool.overflow > 0)
      log.info(`all ${workers} workers wait for slow reads: starting more`);
    return started > 0;
  }

  /** Has overflow workers leave that were not needed for a while. @returns how many are not needed */
  private retireSurplus(blocked: number, now: number): number {
    const { pool, control, publisher } = this.deps;
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

  private lookAgain(ms: number): void {
    this.cancel();
    this.pause = ms;
    this.cancel = this.deps.clock.after(ms, () => this.look());
  }

  /** Until the next READ. @param most ms, if there is something to be looked after */
  private rest(most: number | undefined): void {
    const { control } = this.deps;
    const before = Atomics.compareExchange(
      control,
      CONTROL.STALL_WATCH,
      STALL_WATCH.NO_READ,
      STALL_WATCH.ASLEEP,
    );
    if (before === STALL_WATCH.READ_CAME) this.lookAgain(LOOK_MS);
    else if (most !== undefined) this.lookAgain(most);
    if (before !== STALL_WATCH.READ_CAME && !this.isListening) this.listen();
  }

  private wake(): void {
    this.isListening = false;
    this.pause = LOOK_MS / 2;
    this.look();
  }

  private listen(): void {
    const waiting = Atomics.waitAsync(this.deps.control, CONTROL.STALL_WATCH, STALL_WATCH.ASLEEP);
    this.isListening = waiting.async;
    if (waiting.async) waiting.value.then(() => this.wake());
    else this.lookAgain(LOOK_MS); // one came just now
  }
}
