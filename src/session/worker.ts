import "../path-bytes/thread.ts";
import { parentPort } from "node:worker_threads";
import { messageOf } from "../bytes/errors.ts";
import { newFrame } from "../fuse/frame.ts";
import { busyWord, CONTROL } from "../fuse/control.ts";
import { RequestTracer } from "../fuse/request-tracer.ts";
import { serve } from "../fuse/serve.ts";
import { Mutex } from "../counters/mutex.ts";
import { opName } from "../vfs/opcodes.ts";
import { INFLIGHT } from "../counters/inflight.ts";
import { thisThread } from "../proc/processes.ts";
import { ChangeInbox } from "./change-inbox.ts";
import { WorkerImages } from "./worker-images.ts";
import type { WorkerEvent, WorkerTask } from "./worker-task.ts";

const port = parentPort;
if (port === null) throw new Error("session/worker runs in a worker thread only");
const tell = (event: WorkerEvent) => port.postMessage(event);

port.once("message", (task: WorkerTask) => {
  const control = new Int32Array(task.control);
  const mutex = task.isOverflow ? new Mutex(control, CONTROL.COUNTER_MUTEX) : undefined;
  const images = new WorkerImages(task, { index: task.index, row: task.counterRow, mutex }, tell);
  images.ledger.inflight[INFLIGHT.THREAD] = thisThread();
  const inbox = new ChangeInbox(task.changes, control, task.index, (change) => images.apply(change));
  try {
    images.apply(task.images);
    const ending = serve({
      fd: task.fd,
      fs: images.fileSystem(),
      ledger: images.ledger,
      synchronize: inbox.catchUp,
      frame: newFrame(task.maxRead, task.isOverflow),
      control,
      index: task.index,
      isOverflow: task.isOverflow,
      agreed: { minor: 0, maxRead: 0 },
      onInit: (agreed) => tell({ type: "init", agreed }),
      onContention: () => tell({ type: "contention" }),
      onBusy: () => tell({ type: "busy" }),
      tracer: new RequestTracer(control, (line) => tell({ type: "trace", line })),
      onUnexpected: (opcode, error) =>
        tell({ type: "problem", message: `${opName(opcode)}: ${messageOf(error)}` }),
    });
    tell({ type: "ended", ending, message: "" });
  } catch (error) {
    tell({ type: "ended", ending: "failed", message: messageOf(error) });
  } finally {
    Atomics.store(control, busyWord(task.index), 0);
    images.close();
  }
});
