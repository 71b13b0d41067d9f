import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { BlobFiles } from "../blob/blob-files.ts";
import { messageOf } from "../bytes/errors.ts";
import { Image } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import { TarOrder } from "../fs/tar-order.ts";
import { storePages } from "../fuse/notify.ts";
import { HintBoard, type HintBoardBuffers } from "../readahead/hint-board.ts";
import { InodeCacheMap } from "../readahead/inode-cache-map.ts";
import { readAhead } from "../readahead/readahead.ts";
import { countersOf } from "../counters/counters.ts";
import { thisThread } from "../proc/processes.ts";
import { nodeIn } from "../vfs/node-id.ts";
import type { SharedImage } from "./change.ts";
import type { WorkerEvent } from "./worker-task.ts";

/** What the readahead thread is given: the image whose files it stores in the page cache. */
export interface ReadaheadTask extends SharedImage {
  /** The FUSE device. */
  readonly fd: number;
  /** Its slot of the counters. */
  readonly index: number;
  readonly board: HintBoardBuffers;
}

/**
 * Ahead of readers for the CPU, or it arrives behind them: what it hands over then was read already. With four
 * readers on two CPUs 50,000 instead of 32,000 of 59,000 files are pushed in time.
 */
const NICE = -5;

const port = parentPort;
if (port === null) throw new Error("session/readahead-thread runs in a worker thread only");
const tell = (event: WorkerEvent) => port.postMessage(event);

/** Of this thread alone: its number is a process's to setpriority(2). */
function hurry(): void {
  try {
    setPriority(thisThread(), NICE);
  } catch {} // only root may
}

port.once("message", (task: ReadaheadTask) => {
  hurry();
  const image = new Image(task.handle);
  // A blob that fails is reported by the worker that serves a READ of it.
  const blobs = new BlobFiles(task.files, () => {});
  const board = new HintBoard(task.board);
  try {
    const order = new TarOrder(new ImageFileSystem(image, blobs), image, blobs, board.ranks);
    const base = nodeIn(task.slot, 0);
    readAhead({
      store: (node, data, at, size) => storePages(task.fd, base + node, data, at, size),
      inodes: new InodeCacheMap(task.inodes),
      board,
      counters: countersOf(task.counters, task.index),
      order,
    });
    tell({ type: "ended", ending: "stopped", message: "" });
  } catch (error) {
    tell({ type: "ended", ending: "failed", message: messageOf(error) });
  } finally {
    blobs.close();
  }
});
