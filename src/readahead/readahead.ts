import { freemem } from "node:os";
import { COUNT, type Counters } from "../counters/counters.ts";
import type { DataOrder } from "../vfs/data-order.ts";
import { HintBoard } from "./hint-board.ts";
import type { InodeCacheMap } from "./inode-cache-map.ts";
import { type Span, Streams } from "./streams.ts";

/** Data read at once. */
const MAX_RUN = 1 << 20;
/** Room before the first file's data, for the header that `Store` writes; the others' lie over what precedes theirs. */
const HEADROOM = 64;
/** With less memory than this available, nothing is stored: the pages would push out better ones. */
const MIN_FREE = 128 << 20;
/** Without a sequential reader for so long, the thread ends and gives its memory back. */
const IDLE_MS = 5_000;

/**
 * Puts a whole small file into the page cache.
 *
 * @param data holds the file at `at`; up to 64 bytes before it may be overwritten
 * @returns refused: this file not, or not now; gone: the connection is over
 */
export type Store = (node: number, data: DataView, at: number, size: number) => "stored" | "refused" | "gone";

/** What the readahead of one image works with. It must have a thread of its own that never serves. */
export interface ReadaheadTask {
  readonly store: Store;
  readonly inodes: InodeCacheMap;
  readonly board: HintBoard;
  readonly counters: Counters;
  readonly order: DataOrder;
}

/**
 * Stores small files in the page cache ahead of readers that take them in the order in which their data lies on disk,
 * until the session ends or no such reader comes for a while. One long read of the tar serves many files; each goes over
 * in one NOTIFY_STORE straight from that buffer.
 *
 * A store waits for a page that a READ in flight has locked. A thread that serves must therefore never store: with all
 * workers storing and the READ unserved, everything would hang for good.
 */
export function readAhead(task: ReadaheadTask): void {
  const { board } = task;
  const streams = new Streams();
  const span: Span = { stream: 0, from: 0, to: 0 };
  const buffer = new Uint8Array(HEADROOM + MAX_RUN);
  board.setOrdered(true);
  for (let taken = board.hints(); !board.isStopped() && board.wait(taken, IDLE_MS); ) {
    if (board.isStopped()) break;
    const hints = board.hints();
    if (hints - taken > HintBoard.ring) taken = hints - HintBoard.ring;
    while (taken < hints) {
      const rank = board.hintAt(taken++);
      if (rank < 0) continue;
      streams.follow(rank, span);
      if (span.from >= span.to || freemem() < MIN_FREE) continue;
      if (!storeSpan(task, streams, span, buffer)) return;
    }
  }
  board.setOrdered(false);
}

/** @returns false when the connection is over */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: a loop that readers overtake, over the files of a run
function storeSpan(task: ReadaheadTask, streams: Streams, span: Span, buffer: Uint8Array): boolean {
  const { store, inodes, order, board, counters } = task;
  const data = new DataView(buffer.buffer);
  const last = Math.min(span.to, order.count);
  let stored = 0;
  let late = 0;
  for (let from = span.from; from < last; ) {
    // Readers overtook: what they are about to read is theirs.
    const front = board.hintAt(board.hints() - 1);
    if (front >= from && front < last) {
      late += front + 1 - from;
      from = front + 1;
      continue;
    }
    if (!inodes.lacksPages(order.nodeAt(from))) {
      if (inodes.hasPages(order.nodeAt(from))) late++;
      from++;
      continue;
    }
    const end = trimRun(order, inodes, from, order.runEnd(from, last, MAX_RUN));
    const length = order.readRun(from, end, buffer, HEADROOM);
    for (let rank = from; rank < end && length >= 0; rank++) {
      const node = order.nodeAt(rank);
      if (!inodes.lacksPages(node)) {
        late++;
        continue;
      }
      if (streams.isMarker(span, rank)) continue;
      inodes.notePages(node);
      const size = order.sizeAt(rank);
      const result = store(node, data, HEADROOM + order.distance(from, rank), size);
      if (result === "stored") {
        counters[COUNT.PUSHED_FILES]++;
        counters[COUNT.PUSHED_BYTES] += size;
      } else counters[COUNT.PUSH_REFUSED]++;
      if (result === "gone") return false;
      stored++;
    }
    from = end;
  }
  if (!streams.note(span, stored, late)) board.noteFruitless();
  return true;
}

/**
 * Leaves out what need not be read at the end of a run. Never less than its first file, although a worker may have read
 * that one in the meantime: the loop that calls has to get on.
 */
export function trimRun(order: DataOrder, inodes: InodeCacheMap, from: number, end: number): number {
  let last = end - 1;
  while (last > from && !inodes.lacksPages(order.nodeAt(last))) last--;
  return last + 1;
}
