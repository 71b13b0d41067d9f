import { writeSync } from "node:fs";
import { freemem } from "node:os";
import { putU64 } from "../bytes/u64.ts";
import { COUNT, type Counters } from "../counters/counters.ts";
import type { DataOrder } from "../vfs/data-order.ts";
import { connectionEnd } from "./connection-errors.ts";
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
/** Without a sequential reader for so long, the pusher leaves and gives its memory back. */
const IDLE_MS = 5_000;

/** What the pusher works with. It must have a thread of its own that never serves. */
export interface PushTask {
  readonly fd: number;
  /** Node 0 of the image, as the kernel calls it. */
  readonly base: number;
  readonly known: Known;
  readonly board: PushBoard;
  readonly counters: Counters;
  readonly order: DataOrder;
}

/**
 * Hands small files to the page cache ahead of readers that take them in the order in which their data lies
 * on disk, until the session ends or no such reader comes for a while. One long read of the tar serves many files; each goes over in one
 * NOTIFY_STORE straight from that buffer.
 *
 * A store waits for a page that a READ in flight has locked. A thread that serves must therefore never push:
 * with all workers pushing and the READ unserved, everything would hang for good.
 */
export function push(task: PushTask): void {
  const { board } = task;
  const streams = new Streams();
  const span: Span = { stream: 0, from: 0, to: 0 };
  const buffer = new Uint8Array(LEAD + STRETCH);
  const view = new DataView(buffer.buffer);
  board.setOrdered(true);
  for (let taken = board.posted(); !board.isEnded() && board.wait(taken, IDLE_MS); ) {
    if (board.isEnded()) break;
    const posted = board.posted();
    if (posted - taken > PushBoard.ring) taken = posted - PushBoard.ring;
    while (taken < posted) {
      const place = board.at(taken++);
      if (place < 0) continue;
      streams.follow(place, span);
      if (span.from >= span.to || freemem() < MIN_FREE) continue;
      if (!pushSpan(task, streams, span, buffer, view)) return;
    }
  }
  board.setOrdered(false);
}

/** @returns false when the session has ended */
function pushSpan(task: PushTask, streams: Streams, span: Span, buffer: Uint8Array, view: DataView): boolean {
  const { known, order, board } = task;
  const last = Math.min(span.to, order.count);
  let pushed = 0;
  let late = 0;
  for (let from = span.from; from < last; ) {
    // Readers overtook: what they are about to read is theirs.
    const front = board.at(board.posted() - 1);
    if (front >= from && front < last) {
      late += front + 1 - from;
      from = front + 1;
      continue;
    }
    if (!known.wantsPages(order.nodeAt(from))) {
      if (known.hasPages(order.nodeAt(from))) late++;
      from++;
      continue;
    }
    const end = trimStretch(order, known, from, order.stretchEnd(from, last, STRETCH));
    const length = order.readStretch(from, end, buffer, LEAD);
    for (let place = from; place < end && length >= 0; place++) {
      const node = order.nodeAt(place);
      if (!known.wantsPages(node)) {
        late++;
        continue;
      }
      if (streams.isMark(span, place)) continue;
      known.cache(node);
      if (!store(task, node, LEAD + order.distance(from, place), order.sizeAt(place), buffer, view))
        return false;
      pushed++;
    }
    from = end;
  }
  if (!streams.note(span, pushed, late)) board.noteFruitless();
  return true;
}

/**
 * Leaves out what need not be read at the end of a stretch. Never less than its first file, although a worker
 * may have read that one in the meantime: the loop that calls has to get on.
 */
export function trimStretch(order: DataOrder, known: Known, from: number, end: number): number {
  let last = end - 1;
  while (last > from && !known.wantsPages(order.nodeAt(last))) last--;
  return last + 1;
}

/** @returns false when the session has ended */
function store(
  { fd, base, counters }: PushTask,
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
  putU64(v, at + STORE.NODEID, base + node);
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
    return connectionEnd(error) === undefined;
  }
}
