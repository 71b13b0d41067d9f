import { writeSync } from "node:fs";
import { freemem } from "node:os";
import { codeOf } from "../bytes/errors.ts";
import { putU64 } from "../bytes/u64.ts";
import { COUNT, type Counters } from "../metrics/counters.ts";
import type { DataOrder } from "../vfs/data-order.ts";
import type { Known } from "./known.ts";
import { PushBoard } from "./push-board.ts";
import { type Span, Streams } from "./streams.ts";
import { NOTIFY_STORE, OUT, STORE } from "./wire.ts";

/** Data read at once. */
const STRETCH = 1 << 20;
/** Room for the first file's notification header; the others' lie over what precedes their data. */
const LEAD = 64;
/** With less memory than this available, nothing is handed over: the pages would push out better ones. */
const MIN_FREE = 128 << 20;

/** What the pusher works with. It must have a thread of its own that never serves. */
export interface PushTask {
  readonly fd: number;
  readonly known: Known;
  readonly board: PushBoard;
  readonly counters: Counters;
  /** Orders the image; called once, when a reader makes it worth while. */
  readonly order: () => DataOrder;
}

/**
 * Hands small files to the page cache ahead of readers that take them in the order in which their data lies
 * on disk, until the session ends. One long read of the tar serves many files; each goes over in one
 * NOTIFY_STORE straight from that buffer.
 *
 * A store waits for a page that a READ in flight has locked. A thread that serves must therefore never push:
 * with all workers pushing and the READ unserved, everything would hang for good.
 */
export function push(task: PushTask): void {
  const { board } = task;
  const streams = new Streams();
  const span: Span = { from: 0, to: 0 };
  const buffer = new Uint8Array(LEAD + STRETCH);
  const view = new DataView(buffer.buffer);
  let order: DataOrder | undefined;
  let done: Uint8Array | undefined;
  for (let taken = 0; ; ) {
    board.wait(taken);
    if (board.isEnded()) return;
    if (order === undefined || done === undefined) {
      order = task.order();
      done = new Uint8Array(order.count);
      board.setOrdered();
      taken = board.posted();
      continue;
    }
    const posted = board.posted();
    if (posted - taken > PushBoard.ring) taken = posted - PushBoard.ring;
    while (taken < posted) {
      const place = board.at(taken++);
      if (place < 0) continue;
      streams.follow(place, span);
      if (span.from < span.to && freemem() > MIN_FREE && !pushSpan(task, order, done, span, buffer, view))
        return;
    }
  }
}

/** @returns false when the session has ended */
function pushSpan(
  task: PushTask,
  order: DataOrder,
  done: Uint8Array,
  span: Span,
  buffer: Uint8Array,
  view: DataView,
): boolean {
  const last = Math.min(span.to, order.count);
  const wanted = (place: number) => done[place] === 0 && task.known.has(order.nodeAt(place));
  let from = span.from;
  while (from < last) {
    if (!wanted(from)) {
      from++;
      continue;
    }
    let end = order.stretchEnd(from, last, STRETCH);
    while (!wanted(end - 1)) end--;
    if (order.readStretch(from, end, buffer, LEAD) >= 0)
      for (let place = from; place < end; place++) {
        if (!wanted(place)) continue;
        done[place] = 1;
        if (
          !store(
            task,
            order.nodeAt(place),
            LEAD + order.distance(from, place),
            order.sizeAt(place),
            buffer,
            view,
          )
        )
          return false;
      }
    from = end;
  }
  return true;
}

/** @returns false when the session has ended */
function store(
  { fd, counters }: PushTask,
  node: number,
  data: number,
  size: number,
  buffer: Uint8Array,
  v: DataView,
): boolean {
  const at = data - STORE.DATA;
  v.setUint32(at + OUT.LEN, STORE.DATA + size, true);
  v.setInt32(at + OUT.ERROR, NOTIFY_STORE, true);
  putU64(v, at + OUT.UNIQUE, 0);
  putU64(v, at + STORE.NODEID, node);
  putU64(v, at + STORE.OFFSET, 0);
  v.setUint32(at + STORE.SIZE, size, true);
  v.setUint32(at + STORE.SIZE + 4, 0, true);
  try {
    writeSync(fd, buffer, at, STORE.DATA + size, null);
    counters[COUNT.PUSHED_FILES]++;
    counters[COUNT.PUSHED_BYTES] += size;
    return true;
  } catch (error) {
    // ENOENT: the kernel has forgotten the node, or not made it yet. ENOMEM: not now.
    counters[COUNT.PUSH_REFUSED]++;
    const code = codeOf(error);
    return code !== "ENODEV" && code !== "ENOTCONN" && code !== "EPERM" && code !== "ECONNABORTED";
  }
}
