import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { messageOf } from "../bytes/errors.ts";
import { newFrame } from "../fuse/frame.ts";
import { busyWord, CONTROL, epochWord } from "../fuse/control.ts";
import { RequestTracer } from "../fuse/request-tracer.ts";
import { serve } from "../fuse/serve.ts";
import { Mutex } from "../counters/mutex.ts";
import { opName } from "../vfs/opcodes.ts";
import { INFLIGHT } from "../counters/inflight.ts";
import { thisThread } from "../proc/processes.ts";
import type { Numbered } from "./change.ts";
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
  const early: Numbered[] = [];
  /**
   * A change is there before its number is. One whose number is not there yet waits: what it leads the kernel to, another
   * worker would not know, for it sees no reason to look.
   */
  const synchronize = () => {
    const number = Atomics.load(control, CONTROL.EPOCH);
    for (let next = receiveMessageOnPort(task.changes); next; next = receiveMessageOnPort(task.changes))
      early.push(next.message as Numbered);
    while (early.length > 0 && early[0].number <= number) images.apply((early.shift() as Numbered).change);
    Atomics.store(control, epochWord(task.index), number);
    return number;
  };
  try {
    images.apply(task.images);
    const ending = serve({
      fd: task.fd,
      fs: images.fileSystem(),
      ledger: images.ledger,
      synchronize,
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
