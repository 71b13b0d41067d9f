import { receiveMessageOnPort } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { INFLIGHT, inflightRow } from "../../src/counters/inflight.ts";
import { CONTROL, epochWord } from "../../src/fuse/control.ts";
import { ChangeInbox } from "../../src/session/change-inbox.ts";
import type { Change } from "../../src/session/change.ts";
import type { Ended } from "../../src/session/ended.ts";
import { Notifier } from "../../src/session/notifier.ts";
import { drainWorkers } from "../../src/session/publisher.ts";
import { OP } from "../../src/vfs/opcodes.ts";
import { ManualClock, newLog, newPublisher, settled } from "./support.ts";

const change = (freed: number[] = []): Change => ({
  tree: { rootSlot: undefined, placed: [], entries: [], remaps: [], freed },
  images: [],
});

/** Whether a promise has resolved. */
function watch(promise: Promise<unknown>): () => boolean {
  let isDone = false;
  void promise.then(() => {
    isDone = true;
  });
  return () => isDone;
}

/** Three workers that take requests and answer them, and the grace periods that are waited for. */
class Workers {
  readonly clock = new ManualClock();
  readonly graces: { readonly number: number; readonly isOver: () => boolean }[] = [];
  /** Changes that each worker has taken in. */
  readonly seen = [0, 0, 0];
  private readonly isInside = [false, false, false];
  private readonly made = newPublisher(3, this.clock);
  readonly inboxes = [0, 1, 2].map((worker) => {
    const port = this.made.publisher.subscribe(worker);
    return new ChangeInbox(port, this.made.control, worker, () => this.seen[worker]++);
  });

  publish(): void {
    const number = this.made.publisher.publish(change());
    this.graces.push({ number, isOver: watch(this.made.publisher.synchronize(number)) });
  }

  /** A worker begins a request, or answers the one that it is in. */
  toggle(worker: number): void {
    this.isInside[worker] = !this.isInside[worker];
    this.made.setRequest(worker, this.isInside[worker] ? OP.LOOKUP : 0);
    if (this.isInside[worker]) this.inboxes[worker].catchUp();
  }

  answerAll(): void {
    for (const worker of [0, 1, 2]) if (this.isInside[worker]) this.toggle(worker);
  }

  /** Grace periods that are over though a worker is in a request that it began before the change. */
  broken(): number[] {
    const oldest = Math.min(...this.seen.filter((_, worker) => this.isInside[worker]));
    return this.graces
      .filter(({ number, isOver }) => isOver() && oldest < number)
      .map(({ number }) => number);
  }
}

const systemError = (code: string) => Object.assign(new Error(code), { code });

describe("publish", () => {
  it("sends a change to every worker before its number can be seen", () => {
    const clock = new ManualClock();
    const { publisher, control } = newPublisher(2, clock);
    const ports = [publisher.subscribe(0), publisher.subscribe(1)];
    expect([publisher.publish(change()), publisher.publish(change())]).toEqual([1, 2]);
    const numbers = ports.map((port) => [receiveMessageOnPort(port), receiveMessageOnPort(port)]);
    expect(numbers.flat().map((each) => each?.message.number)).toEqual([1, 2, 1, 2]);
    expect(control[CONTROL.EPOCH]).toBe(2);
  });

  it("wakes as many workers as are behind, by a file that the kernel knows", async () => {
    const { publisher, control, inflightTable, written } = newPublisher(3, new ManualClock());
    for (const index of [0, 1, 2]) publisher.subscribe(index);
    publisher.publish(change());
    await settled();
    expect(written).toHaveLength(0);
    inflightRow(inflightTable, 1)[INFLIGHT.FILE] = 42;
    control[epochWord(0)] = 2;
    publisher.publish(change());
    await settled();
    expect(written).toHaveLength(2);
  });

  it("has another process make requests when a worker is 64 changes behind, one at a time", async () => {
    const { publisher, probes } = newPublisher(2, new ManualClock());
    publisher.subscribe(0);
    publisher.subscribe(1);
    for (let i = 0; i < 64; i++) publisher.publish(change());
    expect(probes).toEqual([]);
    publisher.publish(change());
    expect(probes).toEqual([8]);
    publisher.publish(change());
    expect(probes).toEqual([8]);
    await settled();
    publisher.publish(change());
    expect(probes).toEqual([8, 8]);
  });
});

it("the kernel is told nothing more when the last worker has ended", async () => {
  const { publisher, written } = newPublisher(2, new ManualClock());
  publisher.subscribe(0);
  publisher.subscribe(1);
  publisher.unsubscribe(0);
  await publisher.notify([Buffer.from("told")]);
  publisher.unsubscribe(1);
  await publisher.notify([Buffer.from("too late")]);
  expect(written.map(String)).toEqual(["told"]);
});

describe("synchronize waits for", () => {
  const cases = [
    { name: "no idle worker", opcode: 0, isBehind: true, waits: false },
    { name: "a worker in a LOOKUP that began before", opcode: OP.LOOKUP, isBehind: true, waits: true },
    { name: "no worker that has taken the change in", opcode: OP.LOOKUP, isBehind: false, waits: false },
    { name: "no worker in a READ, which may hang", opcode: OP.READ, isBehind: true, waits: false },
  ];
  it.each(cases)("$name", async ({ opcode, isBehind, waits }) => {
    const clock = new ManualClock();
    const { publisher, control, setRequest } = newPublisher(2, clock);
    publisher.subscribe(0);
    publisher.subscribe(1);
    const number = publisher.publish(change());
    control[epochWord(0)] = isBehind ? 0 : number;
    setRequest(0, opcode);
    const isDone = watch(publisher.synchronize(number));
    await clock.advance(10_000);
    expect(isDone()).toBe(!waits);
    setRequest(0, 0);
    await clock.advance(200);
    expect(isDone()).toBe(true);
  });

  it("no longer than it is told to, nor than the session lasts", async () => {
    const clock = new ManualClock();
    const { publisher, setRequest } = newPublisher(1, clock);
    publisher.subscribe(0);
    setRequest(0, OP.LOOKUP);
    const number = publisher.publish(change());
    const [patient, impatient] = [publisher.synchronize(number), publisher.synchronize(number, 1_000)].map(
      watch,
    );
    await clock.advance(900);
    expect([patient(), impatient()]).toEqual([false, false]);
    await clock.advance(300);
    expect([patient(), impatient()]).toEqual([false, true]);
    publisher.unsubscribe(0);
    await clock.advance(200);
    expect(patient()).toBe(true);
  });

  it("all that go by what was before, whatever workers do meanwhile", async () => {
    const run = async (steps: readonly number[]) => {
      const model = new Workers();
      for (const step of steps) {
        if (step >= 9) model.publish();
        else model.toggle(step % 3);
        await model.clock.advance(step < 3 ? 500 : 0);
        expect(model.broken()).toEqual([]);
      }
      model.answerAll();
      await model.clock.advance(200);
      expect(model.graces.every(({ isOver }) => isOver())).toBe(true);
      expect(model.seen).toEqual([0, 1, 2].map((worker) => model.inboxes[worker].catchUp()));
    };
    await fc.assert(fc.asyncProperty(fc.array(fc.nat(10), { maxLength: 40 }), run), { numRuns: 50 });
  });
});

describe("a worker's inbox", () => {
  it("keeps a change until its number is there", () => {
    const { publisher, control } = newPublisher(1, new ManualClock());
    const applied: Change[] = [];
    const inbox = new ChangeInbox(publisher.subscribe(0), control, 0, (each) => applied.push(each));
    publisher.publish(change([1]));
    publisher.publish(change([2]));
    control[CONTROL.EPOCH] = 1; // as if the second were just being published
    expect([inbox.catchUp(), applied.map(({ tree }) => tree.freed), control[epochWord(0)]]).toEqual([
      1,
      [[1]],
      1,
    ]);
    control[CONTROL.EPOCH] = 2;
    expect([inbox.catchUp(), applied.map(({ tree }) => tree.freed)]).toEqual([2, [[1], [2]]]);
  });
});

describe("a notifier", () => {
  const messages = ["a", "b", "c"].map((each) => Buffer.from(each));
  const cases = [
    { name: "goes on after a node that the kernel does not know", code: "ENOENT", written: "abc", logged: 0 },
    { name: "says what the kernel refuses, and goes on", code: "EINVAL", written: "abc", logged: 1 },
    { name: "ends when the connection is gone", code: "ENOTCONN", written: "a", logged: 0 },
  ];
  it.each(cases)("$name", async ({ code, written, logged }) => {
    const log = newLog();
    let tried = "";
    const notifier = new Notifier(async (message) => {
      tried += message.toString();
      if (message.toString() === "a") throw systemError(code);
    }, log);
    await notifier.notify(messages);
    expect([tried, log.lines.length]).toEqual([written, logged]);
  });

  it("writes one message after the other, and is closed when none is being written", async () => {
    const ends: (() => void)[] = [];
    const notifier = new Notifier(() => new Promise<void>((resolve) => void ends.push(resolve)), newLog());
    const isTold = watch(notifier.notify(messages));
    const isClosed = watch(notifier.close());
    await settled();
    expect([ends.length, isTold(), isClosed()]).toEqual([1, false, false]);
    ends[0]();
    await settled();
    expect([ends.length, isTold(), isClosed()]).toEqual([1, true, true]);
  });
});

describe("draining workers", () => {
  /** A session that ends after a while, in which workers answer until then or not at all. */
  async function drain(answersUntil: number, endsAt: number) {
    const clock = new ManualClock();
    const begin = clock.now();
    let woken = 0;
    const ended = clock.sleep(endsAt) as unknown as Promise<Ended>;
    const publisher = {
      get isAnswering() {
        return clock.now() - begin < answersUntil;
      },
      wakeOne: () => void woken++,
    };
    let result: { isDrained: boolean; ms: number } | undefined;
    void drainWorkers(publisher, ended, clock).then((isDrained) => {
      result = { isDrained, ms: clock.now() - begin };
    });
    await clock.advance(60_000);
    return { ...result, woken };
  }

  const cases = [
    { name: "wakes idle workers each 20 ms until all have left", until: 0, end: 90, want: [true, 90, 5] },
    { name: "gives up idle workers after 2 s", until: 0, end: 99_000, want: [false, 2_020, 101] },
    {
      name: "waits for busy workers for 30 s, and wakes none",
      until: 99_000,
      end: 99_000,
      want: [false, 30_020, 0],
    },
    {
      name: "wakes those that were busy once they are idle",
      until: 1_000,
      end: 1_050,
      want: [true, 1_050, 3],
    },
  ];
  it.each(cases)("$name", async ({ until, end, want }) => {
    const { isDrained, ms, woken } = await drain(until, end);
    expect([isDrained, ms, woken]).toEqual(want);
  });
});
