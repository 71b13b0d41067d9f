import { readSync, writeSync } from "node:fs";
import { EINVAL, EIO } from "../bytes/errno.ts";
import { u64 } from "../bytes/u64.ts";
import { COUNT, countAnswer, countRead } from "../counters/counters.ts";
import { INFLIGHT } from "../counters/inflight.ts";
import type { FileSystem } from "../vfs/file-system.ts";
import { connectionEnd, isTransient } from "./connection-errors.ts";
import { busyWord, CONTROL, STALL_WATCH } from "./control.ts";
import { ContentionDetector } from "./contention-detector.ts";
import { type Frame, HEADER_AT, PAYLOAD } from "./frame.ts";
import { type Agreed, answerInit } from "./init.ts";
import { answer, isShort, NO_REPLY } from "./ops.ts";
import type { RequestTracer } from "./request-tracer.ts";
import type { WorkerLedger } from "./worker-ledger.ts";
import { IN, OUT, OUT_HEADER, READ_IN } from "./wire.ts";
import { OP, OP_COUNT } from "../vfs/opcodes.ts";

/** What one worker works with. */
export interface Service {
  /** The FUSE device, mounted or about to be. */
  readonly fd: number;
  readonly fs: FileSystem;
  readonly frame: Frame;
  readonly ledger: WorkerLedger;
  /** Words shared with the main thread, see CONTROL. */
  readonly control: Int32Array;
  /** Of this worker. */
  readonly index: number;
  /** It ends when CONTROL.RETIRE says that it is not needed. */
  readonly isOverflow: boolean;
  /** Applies changes of the session's images that are due. @returns number of the last one */
  readonly synchronize: () => number;
  /** What INIT agreed on; filled by the worker that answered it. */
  readonly agreed: Agreed;
  /** Called when INIT was answered and the kernel has taken the answer in. */
  readonly onInit: (agreed: Agreed) => void;
  readonly tracer: RequestTracer;
  /** Called with an exception in a handler; the request is answered EIO. */
  readonly onUnexpected: (opcode: number, error: unknown) => void;
  /** Called when another worker would help and that is not reported yet. */
  readonly onContention: () => void;
  /** Called when requests come in numbers and the main thread does not watch their rate yet. */
  readonly onBusy: () => void;
}

/** Requests of one worker between two looks at RATE_WATCHED, less one. */
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
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: the loop of every request: a call or an object more is measured
export function serve(s: Service): Ending {
  const { fd, fs, frame: f, ledger, control } = s;
  const { inflight } = ledger;
  const busy = busyWord(s.index);
  const { inView, outView } = f;
  const capacity = f.in.length;
  const contention = new ContentionDetector();
  const { timeOrigin } = performance;
  let served = 0;
  let end = 0;
  let epoch = s.synchronize();
  for (;;) {
    const isSampled = (served & SAMPLE_MASK) === 0 && control[CONTROL.CONTENTION_REPORTED] === 0;
    const before = end;
    try {
      f.length = readSync(fd, f.in, 0, capacity, null);
    } catch (error) {
      if (isTransient(error)) continue;
      return endingOf(error);
    }
    // Busy is set before the epoch is read. The main thread sets the epoch before it reads the busy words, so it sees each
    // worker as busy that may still answer by what was before the change.
    Atomics.store(control, busy, 1);
    if (Atomics.load(control, CONTROL.EPOCH) !== epoch) epoch = s.synchronize();
    const begin = performance.now();
    const opcode = inView.getUint32(IN.OPCODE, true);
    const node = u64(inView, IN.NODEID);
    const counters = ledger.countersAt(node);
    const counted = opcode < OP_COUNT ? opcode : 0;
    counters[counted]++;
    const caller = inView.getUint32(IN.PID, true);
    inflight[INFLIGHT.UNIQUE] = inView.getUint32(IN.UNIQUE, true);
    inflight[INFLIGHT.UNIQUE_HIGH] = inView.getUint32(IN.UNIQUE + 4, true);
    inflight[INFLIGHT.NODE] = node;
    inflight[INFLIGHT.SINCE] = timeOrigin + begin;
    inflight[INFLIGHT.CALLER] = caller;
    inflight[INFLIGHT.OPCODE] = opcode;
    contention.note(caller);
    if (opcode === OP.READ && control[CONTROL.STALL_WATCH] !== STALL_WATCH.READ_CAME)
      wakeStallMonitor(control);
    const isTraced = control[CONTROL.TRACE] !== 0 && s.tracer.request(f, opcode, node);
    let result: number;
    try {
      result = opcode === OP.INIT ? init(s) : answer(fs, f, ledger, opcode);
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
      if (opcode === OP.READ && u64(inView, READ_IN.OFFSET) === 0) ledger.noteRead(node, fs.readFrom());
      try {
        writeSync(fd, f.out, HEADER_AT, length, null);
      } catch (error) {
        // ENOENT: the caller was killed and waits no more, or the connection is gone: the next read says so.
        if (!isTransient(error)) return endingOf(error);
      }
    }
    inflight[INFLIGHT.OPCODE] = 0;
    Atomics.store(control, busy, 0);
    end = performance.now();
    if (result !== NO_REPLY) {
      countAnswer(counters, counted, result, 1000 * (end - begin));
      ledger.countFile(node, f, counted, result);
    }
    ledger.flush(node);
    if (isTraced) traceReply(s.tracer, f, opcode, result, 1000 * (end - begin));
    if (opcode === OP.INIT) s.onInit(s.agreed);
    if (control[CONTROL.STOP] !== 0) return "stopped";
    if (s.isOverflow && isToRetire(control)) return "retired";
    if (isSampled && contention.sample(begin - before, end - begin)) {
      control[CONTROL.CONTENTION_REPORTED] = 1;
      s.onContention();
    }
    if ((++served & LOOK_MASK) === 0 && control[CONTROL.RATE_WATCHED] === 0) {
      control[CONTROL.RATE_WATCHED] = 1;
      s.onBusy();
    }
  }
}

/**
 * A worker that is blocked in a READ cannot report itself, so the first READ after an idle period wakes the stall
 * monitor: once in each of its rounds at most.
 */
function wakeStallMonitor(control: Int32Array): void {
  if (Atomics.exchange(control, CONTROL.STALL_WATCH, STALL_WATCH.READ_CAME) === STALL_WATCH.ASLEEP)
    Atomics.notify(control, CONTROL.STALL_WATCH);
}

function traceReply(tracer: RequestTracer, f: Frame, opcode: number, result: number, us: number): void {
  if (result === NO_REPLY) tracer.noReply();
  else tracer.reply(f, opcode, result, us);
}

function isToRetire(control: Int32Array): boolean {
  const count = Atomics.load(control, CONTROL.RETIRE);
  return count > 0 && Atomics.compareExchange(control, CONTROL.RETIRE, count, count - 1) === count;
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
