import { describe, expect, it } from "vitest";
import { busyWord, CONTROL, STALL_WATCH } from "../../src/fuse/control.ts";
import { StallMonitor } from "../../src/session/stall-monitor.ts";
import { OP } from "../../src/vfs/opcodes.ts";
import { ManualClock, newLog, newPublisher, settled } from "./support.ts";

const LIMIT = 2;

/** A session whose workers do what a test says. */
class Session {
  readonly clock = new ManualClock();
  readonly log = newLog();
  readonly killed: number[] = [];
  /** How many workers each start asked for. */
  readonly started: number[] = [];
  woken = 0;
  workers = LIMIT;
  /** Most workers. */
  most = 64;
  isAsleep = true;
  private readonly made = newPublisher(80, this.clock);
  readonly control = this.made.control;
  readonly monitor: StallMonitor;

  constructor() {
    const session = this;
    this.monitor = new StallMonitor({
      pool: {
        limit: LIMIT,
        get workers() {
          return session.workers;
        },
        get overflow() {
          return Math.max(0, session.workers - LIMIT);
        },
        indices: () => Array.from({ length: session.workers }, (_, i) => i),
        growOverflow: (count) => {
          const started = Math.min(count, this.most - this.workers);
          this.started.push(count);
          this.workers += started;
          return started;
        },
      },
      publisher: {
        wake: (count) => {
          this.woken += count;
        },
      },
      control: this.control,
      inflightTable: this.made.inflightTable,
      log: this.log,
      clock: this.clock,
      isAsleep: () => this.isAsleep,
      answerKilledCallers: (before) => void this.killed.push(before),
    });
  }

  /** A worker takes a request, as fuse/serve does it. */
  async take(index: number, opcode: number = OP.READ): Promise<void> {
    this.made.setRequest(index, opcode);
    if (opcode !== OP.READ) return;
    const before = Atomics.exchange(this.control, CONTROL.STALL_WATCH, STALL_WATCH.READ_CAME);
    if (before === STALL_WATCH.ASLEEP) Atomics.notify(this.control, CONTROL.STALL_WATCH);
    await settled();
  }

  answer(index: number): void {
    this.made.setRequest(index, 0);
  }

  /** All workers that are idle take a READ. */
  async takeAll(): Promise<void> {
    for (let index = 0; index < this.workers; index++)
      if (this.control[busyWord(index)] === 0) await this.take(index);
  }

  async block(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      await this.takeAll();
      await this.clock.advance(10);
    }
  }
}

describe("while READs hang", () => {
  it("no worker is started as long as one is free", async () => {
    const s = new Session();
    await s.take(0);
    await s.clock.advance(5_000);
    expect(s.started).toEqual([]);
  });

  it("one worker is started when all are blocked for more than 5 ms, and that is said", async () => {
    const s = new Session();
    await s.take(0);
    await s.clock.advance(7);
    await s.take(1);
    await s.clock.advance(3);
    expect(s.started).toEqual([]);
    await s.clock.advance(10);
    expect(s.started).toEqual([1]);
    await s.clock.advance(5_000);
    expect([s.started, s.log.lines]).toEqual([
      [1],
      ["info all 2 workers wait for slow reads: starting more"],
    ]);
  });

  it("twice as many are started each time that all are blocked at once again, at most eight", async () => {
    const s = new Session();
    await s.block(300);
    expect(s.started.slice(0, 6)).toEqual([1, 2, 4, 8, 8, 8]);
    expect(s.log.lines).toHaveLength(1);
  });

  it("one is started again when all are blocked after a second without", async () => {
    const s = new Session();
    await s.block(60);
    expect(s.started.slice(0, 2)).toEqual([1, 2]);
    const before = s.started.length;
    await s.clock.advance(1_500);
    await s.block(30);
    expect(s.started[before]).toBe(1);
  });

  it("none is started while a worker is not asleep, but wants a CPU", async () => {
    const s = new Session();
    s.isAsleep = false;
    await s.block(1_000);
    expect(s.started).toEqual([]);
    s.isAsleep = true;
    await s.clock.advance(20);
    expect(s.started).toEqual([1]);
  });

  it("none is started for other requests", async () => {
    const s = new Session();
    await s.take(0);
    await s.take(1, OP.LOOKUP);
    await s.clock.advance(1_000);
    expect(s.started).toEqual([]);
  });

  it("killed callers are looked for at once and then each 250 ms, for READs older than 200 ms", async () => {
    const s = new Session();
    const begin = s.clock.now();
    await s.take(0);
    for (let ms = 0; ms < 2_000; ms += 10) {
      await s.take(1);
      s.answer(1);
      await s.clock.advance(10);
    }
    expect(s.killed[0] - begin).toBeLessThanOrEqual(20 - 200);
    const gaps = s.killed.slice(1).map((before, i) => before - s.killed[i]);
    expect(gaps.length).toBeGreaterThanOrEqual(6);
    for (const gap of gaps) expect([gap >= 250, gap <= 260]).toEqual([true, true]);
  });
});

describe("when READs are answered", () => {
  /** A session with overflow workers, all free. */
  async function recovered(overflow: number): Promise<Session> {
    const s = new Session();
    s.most = LIMIT + overflow;
    await s.block(200);
    expect(s.workers).toBe(LIMIT + overflow);
    for (let index = 0; index < s.workers; index++) s.answer(index);
    return s;
  }

  it("overflow workers retire after they were not needed for 5 s", async () => {
    const s = await recovered(3);
    await s.clock.advance(4_900);
    expect([s.control[CONTROL.RETIRE], s.woken]).toEqual([0, 0]);
    await s.clock.advance(600);
    expect([s.control[CONTROL.RETIRE], s.woken]).toEqual([3, 5]);
    s.workers = LIMIT;
    await s.clock.advance(1_000);
    expect([s.control[CONTROL.RETIRE], s.clock.waiting]).toEqual([0, 0]);
  });

  it("none retires that others would need", async () => {
    const s = await recovered(3);
    for (const index of [0, 1]) await s.take(index);
    await s.clock.advance(6_000);
    expect(s.control[CONTROL.RETIRE]).toBe(1);
  });

  it("the 5 s begin anew when all were needed meanwhile", async () => {
    const s = await recovered(1);
    await s.clock.advance(3_000);
    await s.takeAll();
    await s.clock.advance(100);
    for (let index = 0; index < s.workers; index++) s.answer(index);
    await s.clock.advance(4_000);
    expect(s.control[CONTROL.RETIRE]).toBe(0);
    await s.clock.advance(1_700);
    expect(s.control[CONTROL.RETIRE]).toBe(1);
  });
});

describe("a session without READs", () => {
  it("costs nothing: no timer is left, and the next READ starts one", async () => {
    const s = new Session();
    expect(s.clock.waiting).toBe(0);
    await s.take(0);
    s.answer(0);
    expect(s.clock.waiting).toBe(1);
    await s.clock.advance(100);
    expect([s.clock.waiting, s.control[CONTROL.STALL_WATCH]]).toEqual([0, STALL_WATCH.ASLEEP]);
    await s.take(0);
    expect(s.clock.waiting).toBe(1);
  });

  it("is looked at after 10, 20, 40 and then each 40 ms while READs come and none blocks", async () => {
    const s = new Session();
    const looks: number[] = [];
    const begin = s.clock.now();
    for (let ms = 0; ms < 200; ms++) {
      const before = s.control[CONTROL.STALL_WATCH];
      await s.take(0);
      s.answer(0);
      if (before === STALL_WATCH.NO_READ) looks.push(s.clock.now() - begin);
      await s.clock.advance(1);
    }
    expect(looks.slice(0, 5)).toEqual([1, 10, 30, 70, 110]);
  });

  it("is not looked at after it was closed", async () => {
    const s = new Session();
    await s.takeAll();
    s.monitor.close();
    await s.clock.advance(1_000);
    expect([s.started, s.clock.waiting]).toEqual([[], 0]);
    const idle = new Session();
    idle.monitor.close(); // which wakes what waits for a READ
    await idle.takeAll();
    await idle.clock.advance(1_000);
    expect([idle.started, idle.clock.waiting]).toEqual([[], 0]);
  });
});
