import { parentPort } from "node:worker_threads";
import { BlobFiles } from "../blob/blob-files.ts";
import type { BlobFile } from "../blob/locate.ts";
import { messageOf } from "../bytes/errors.ts";
import { Image, type ImageHandle } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import { newFrame } from "../fuse/frame.ts";
import type { Agreed } from "../fuse/init.ts";
import { Known } from "../fuse/known.ts";
import { type Ending, serve } from "../fuse/serve.ts";
import { OP_NAMES } from "../fuse/wire.ts";
import { COUNT, countersOf } from "../metrics/counters.ts";

/** What a worker thread is given. Shared buffers are shared, the rest is copied. */
export interface WorkerTask {
  readonly fd: number;
  readonly index: number;
  readonly handle: ImageHandle;
  readonly files: readonly BlobFile[];
  readonly known: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly stop: SharedArrayBuffer;
  readonly maxRead: number;
}

/** What a worker tells the main thread. */
export type WorkerEvent =
  | { readonly type: "init"; readonly agreed: Agreed }
  | { readonly type: "problem"; readonly message: string }
  | { readonly type: "ended"; readonly ending: Ending | "failed"; readonly message: string };

const port = parentPort;
if (port === null) throw new Error("daemon/worker runs in a worker thread only");
const tell = (event: WorkerEvent) => port.postMessage(event);

port.once("message", (task: WorkerTask) => {
  const counters = countersOf(task.counters, task.index);
  const blobs = new BlobFiles(task.files, (_, message) => {
    counters[COUNT.LOST_BLOBS]++;
    tell({ type: "problem", message });
  });
  try {
    const ending = serve({
      fd: task.fd,
      fs: new ImageFileSystem(new Image(task.handle), blobs),
      frame: newFrame(task.maxRead),
      known: new Known(task.known),
      counters,
      stop: new Int32Array(task.stop),
      agreed: { minor: 0, maxRead: 0 },
      onInit: (agreed) => tell({ type: "init", agreed }),
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
