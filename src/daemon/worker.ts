import { parentPort } from "node:worker_threads";
import { BlobFiles } from "../blob/blob-files.ts";
import type { BlobFile } from "../blob/locate.ts";
import { messageOf } from "../bytes/errors.ts";
import { Image, type ImageHandle } from "../erofs/image.ts";
import { newFrame } from "../fuse/frame.ts";
import type { Agreed } from "../fuse/init.ts";
import { Known } from "../fuse/known.ts";
import { type BoardBuffers, PushBoard } from "../fuse/push-board.ts";
import { type Ending, serve } from "../fuse/serve.ts";
import { OP_NAMES } from "../fuse/wire.ts";
import { COUNT, countersOf } from "../metrics/counters.ts";
import { fileSystemOf } from "./traced-file-system.ts";

/** What all threads of a session have in common. Shared buffers are shared, the rest is copied. */
export interface SharedState {
  readonly fd: number;
  readonly handle: ImageHandle;
  readonly files: readonly BlobFile[];
  readonly known: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  /** A byte a file: its loss was told. */
  readonly lost: SharedArrayBuffer;
}

/** What a worker thread is given. */
export interface WorkerTask extends SharedState {
  /** Its slot of the counters. */
  readonly index: number;
  readonly control: SharedArrayBuffer;
  readonly maxRead: number;
  /** Absent when nothing is to be pushed. */
  readonly board: BoardBuffers | undefined;
  /** Where its reads are logged; absent when nobody traces. */
  readonly trace: SharedArrayBuffer | undefined;
}

/** What a worker tells the main thread. */
export type WorkerEvent =
  | { readonly type: "init"; readonly agreed: Agreed }
  /** Small files are read one after another: a pusher may pay. */
  | { readonly type: "sequential" }
  /** Requests wait for one another: another worker would help. */
  | { readonly type: "crowded" }
  /** Requests come in numbers. */
  | { readonly type: "busy" }
  | { readonly type: "problem"; readonly message: string }
  | { readonly type: "ended"; readonly ending: Ending | "failed"; readonly message: string };

const port = parentPort;
if (port === null) throw new Error("daemon/worker runs in a worker thread only");
const tell = (event: WorkerEvent) => port.postMessage(event);

port.once("message", (task: WorkerTask) => {
  const counters = countersOf(task.counters, task.index);
  const onLoss = (_: number, message: string) => {
    counters[COUNT.LOST_BLOBS]++;
    tell({ type: "problem", message });
  };
  const blobs = new BlobFiles(task.files, onLoss, new Uint8Array(task.lost));
  try {
    const ending = serve({
      fd: task.fd,
      fs: fileSystemOf(new Image(task.handle), blobs, task.trace),
      frame: newFrame(task.maxRead),
      known: new Known(task.known),
      board: task.board && new PushBoard(task.board, () => tell({ type: "sequential" })),
      counters,
      control: new Int32Array(task.control),
      agreed: { minor: 0, maxRead: 0 },
      onInit: (agreed) => tell({ type: "init", agreed }),
      onCrowded: () => tell({ type: "crowded" }),
      onBusy: () => tell({ type: "busy" }),
      onUnexpected: (opcode, error) =>
        tell({ type: "problem", message: `${OP_NAMES[opcode] ?? opcode}: ${messageOf(error)}` }),
    });
    tell({ type: "ended", ending, message: "" });
  } catch (error) {
    tell({ type: "ended", ending: "failed", message: messageOf(error) });
  } finally {
    blobs.close();
  }
});
