import { parentPort } from "node:worker_threads";
import { BlobFiles } from "../blob/blob-files.ts";
import { messageOf } from "../bytes/errors.ts";
import { Image } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import { TarOrder } from "../fs/tar-order.ts";
import { Known } from "../fuse/known.ts";
import { type BoardBuffers, PushBoard } from "../fuse/push-board.ts";
import { push } from "../fuse/pusher.ts";
import { countersOf } from "../metrics/counters.ts";
import type { SharedState, WorkerEvent } from "./worker.ts";

/** What the pusher's thread is given. */
export interface PusherTask extends SharedState {
  /** Its slot of the counters. */
  readonly index: number;
  readonly board: BoardBuffers;
}

const port = parentPort;
if (port === null) throw new Error("daemon/pusher-thread runs in a worker thread only");
const tell = (event: WorkerEvent) => port.postMessage(event);

port.once("message", (task: PusherTask) => {
  const image = new Image(task.handle);
  // A blob that was lost is reported by the worker whose reader it hits.
  const blobs = new BlobFiles(task.files, () => {});
  const board = new PushBoard(task.board);
  try {
    const order = new TarOrder(new ImageFileSystem(image, blobs), image, blobs, board.places);
    push({
      fd: task.fd,
      known: new Known(task.known),
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
