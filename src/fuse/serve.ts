import { readSync, writeSync } from "node:fs";
import { EINVAL, EIO } from "../bytes/errno.ts";
import { u64 } from "../bytes/u64.ts";
import { COUNT, countAnswer, countRead } from "../counters/counters.ts";
import { NOW } from "../counters/inflight.ts";
import type { FileSystem } from "../vfs/file-system.ts";
import { connectionEnd, isTransient } from "./connection-errors.ts";
import { Crowd } from "./crowd.ts";
import { type Frame, HEADER_AT, PAYLOAD } from "./frame.ts";
import { type Agreed, answerInit } from "./init.ts";
import { answer, isShort, NO_REPLY } from "./ops.ts";
import type { Tenants } from "./tenants.ts";
import { IN, OUT, OUT_HEADER, READ_IN } from "./wire.ts";
import { OP, OP_COUNT } from "../vfs/opcodes.ts";

/** What one worker works with. */
export interface Service {
  /** The FUSE device, mounted or about to be. */
  readonly fd: number;
  readonly fs: FileSystem;
  readonly frame: Frame;
  readonly tenants: Tenants;
  /** Words shared with the main thread, see CONTROL. */
  readonly control: Int32Array;
  /** Of this worker. */
  readonly index: number;
  /** It leaves when it is told that it is not needed. */
  readonly isSpare: boolean;
  /** Takes in what changed about the images of the session; returns which change was the last. */
  readonly catchUp: () => number;
  /** What INIT agreed on; filled by the worker that answered it. */
  readonly agreed: Agreed;
  /** Told when INIT was answered and the kernel has taken the answer in. */
  readonly onInit: (agreed: Agreed) => void;
  /** Told of an exception in a handler; the request is answered EIO. */
  readonly onUnexpected: (opcode: number, error: unknown) => void;
  /** Told when another worker would help and nobody thinks of it yet. */
  readonly onCrowded: () => void;
  /** Told when requests come in numbers and nobody watches them yet. */
  readonly onBusy: () => void;
}

export const CONTROL = {
  /** Set to 1 to make workers leave at their next request. */
  STOP: 0,
  /** 1 while the main thread watches how many requests come. */
  WATCHED: 1,
  /** 1 while there is nothing to do about requests that wait for one another. */
  CROWDED: 2,
  /** Grows with each change of the session's images: workers take it in before they answer another request. */
  CHANGE: 3,
  /** Whether the main thread watches for READs that hang, see WATCH. */
  WATCH: 4,
  /** How many spare workers are to leave at their next request. */
  LEAVE: 5,
  /** Of spare workers, which share a slot of what is counted. */
  TURN: 6,
  /** From here on, WORDS a worker: the change that it took in last, and whether it answers a request. */
  TAKEN: 7,
  BUSY: 8,
  WORDS: 2,
} as const;

/** CONTROL.WATCH: who takes a READ wakes the main thread; or one came since that looked last; or none did. */
export const WATCH = { OFF: 0, CAME: 1, NONE: 2 } as const;

/** @param workers most that there will be */
export const newControl = (workers: number): SharedArrayBuffer =>
  new SharedArrayBuffer(4 * (CONTROL.TAKEN + CONTROL.WORDS * workers));

/** Requests of one worker between two looks at WATCHED, less one. */
const LOOK_MASK = 127;
/** One request in 16 is timed. */
const SAMPLE_MASK = 15;

/** Why a worker left its loop. */
export type Ending = "unmounted" | "aborted" | "stopped" | "retired";

/**
 * Reads requests and answers them until the session ends. Blocks the thread: nothing else runs on it.
 *
 * Between the read of a request and the write of its reply there is no allocation, promise, string or log
 * line. An answer is one write.
 *
 * @throws the system error of a read that means none of the known endings
 */
export function serve(s: Service): Ending {
  const { fd, fs, frame: f, tenants, control } = s;
  const { now } = tenants;
  const busy = CONTROL.BUSY + CONTROL.WORDS * s.index;
  const { inView, outView } = f;
  const capacity = f.in.length;
  const crowd = new Crowd();
  const { timeOrigin } = performance;
  let served = 0;
  let end = 0;
  let change = s.catchUp();
  for (;;) {
    const isSampled = (served & SAMPLE_MASK) === 0 && control[CONTROL.CROWDED] === 0;
    const before = end;
    try {
      f.length = readSync(fd, f.in, 0, capacity, null);
    } catch (error) {
      if (isTransient(error)) continue;
      return endingOf(error);
    }
    // In this order: who sees that nobody is busy after a change knows that nobody goes by what was before.
    Atomics.store(control, busy, 1);
    if (Atomics.load(control, CONTROL.CHANGE) !== change) change = s.catchUp();
    const begin = performance.now();
    const opcode = inView.getUint32(IN.OPCODE, true);
    const node = u64(inView, IN.NODEID);
    const counters = tenants.countersAt(node);
    const slot = opcode < OP_COUNT ? opcode : 0;
    counters[slot]++;
    const caller = inView.getUint32(IN.PID, true);
    now[NOW.UNIQUE] = inView.getUint32(IN.UNIQUE, true);
    now[NOW.UNIQUE_HIGH] = inView.getUint32(IN.UNIQUE + 4, true);
    now[NOW.NODE] = node;
    now[NOW.SINCE] = timeOrigin + begin;
    now[NOW.CALLER] = caller;
    now[NOW.OPCODE] = opcode;
    crowd.call(caller);
    if (opcode === OP.READ && control[CONTROL.WATCH] !== WATCH.CAME) announce(control);
    let result: number;
    try {
      result = opcode === OP.INIT ? init(s) : answer(fs, f, tenants, opcode);
    } catch (error) {
      counters[COUNT.UNEXPECTED]++;
      s.onUnexpected(opcode, error);
      result = -EIO;
    }
    if (result !== NO_REPLY) {
      if (opcode === OP.READ && result >= 0) countRead(counters, result);
      const length = OUT_HEADER + Math.max(result, 0);
      outView.setUint32(HEADER_AT + OUT.LEN, length, true);
      outView.setInt32(HEADER_AT + OUT.ERROR, Math.min(result, 0), true);
      outView.setUint32(HEADER_AT + OUT.UNIQUE, inView.getUint32(IN.UNIQUE, true), true);
      outView.setUint32(HEADER_AT + OUT.UNIQUE + 4, inView.getUint32(IN.UNIQUE + 4, true), true);
      // Before the answer: the reader is on its way to the next file when it has it.
      if (opcode === OP.READ && u64(inView, READ_IN.OFFSET) === 0) tenants.noteRead(node, fs.readFrom());
      try {
        writeSync(fd, f.out, HEADER_AT, length, null);
      } catch (error) {
        // ENOENT: the caller was killed and waits no more, or the connection is gone: the next read says so.
        if (!isTransient(error)) return endingOf(error);
      }
    }
    now[NOW.OPCODE] = 0;
    Atomics.store(control, busy, 0);
    end = performance.now();
    if (result !== NO_REPLY) {
      countAnswer(counters, slot, result, 1000 * (end - begin));
      tenants.account(node, f, slot, result);
    }
    tenants.settle(node);
    if (opcode === OP.INIT) s.onInit(s.agreed);
    if (control[CONTROL.STOP] !== 0) return "stopped";
    if (s.isSpare && isToLeave(control)) return "retired";
    if (isSampled && crowd.sample(begin - before, end - begin)) {
      control[CONTROL.CROWDED] = 1;
      s.onCrowded();
    }
    if ((++served & LOOK_MASK) === 0 && control[CONTROL.WATCHED] === 0) {
      control[CONTROL.WATCHED] = 1;
      s.onBusy();
    }
  }
}

/** A READ may hang, and who is in one tells nothing. Seldom more than once a look of the main thread's. */
function announce(control: Int32Array): void {
  if (Atomics.exchange(control, CONTROL.WATCH, WATCH.CAME) === WATCH.OFF)
    Atomics.notify(control, CONTROL.WATCH);
}

function isToLeave(control: Int32Array): boolean {
  const count = Atomics.load(control, CONTROL.LEAVE);
  return count > 0 && Atomics.compareExchange(control, CONTROL.LEAVE, count, count - 1) === count;
}

function init(s: Service): number {
  const { frame: f } = s;
  if (isShort(f, OP.INIT)) return -EINVAL;
  const maxPages = Math.floor(f.room / 4096);
  return answerInit(f.inView, f.length, s.fs.traits.hasAcls, maxPages, f.outView, PAYLOAD, s.agreed);
}

/** @throws the error when it is no known ending: a worker's caller has mounted the device before */
function endingOf(error: unknown): Ending {
  const end = connectionEnd(error);
  if (end === undefined || end === "never mounted") throw error;
  return end;
}
