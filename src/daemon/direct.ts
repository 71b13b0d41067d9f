import { close } from "node:fs";
import { Worker } from "node:worker_threads";
import { messageOf, StartError } from "../bytes/errors.ts";
import { MOUNT_OPTIONS, maxPages, mountDevice, raiseReadAhead } from "../fuse/device.ts";
import type { Agreed } from "../fuse/init.ts";
import { Known } from "../fuse/known.ts";
import { unmount } from "../fuse/umount.ts";
import { wakeWorker } from "../fuse/wake.ts";
import { newCounters } from "../metrics/counters.ts";
import { countsOf } from "./counts.ts";
import type { Ended, MountRequest, Session } from "./transport.ts";
import type { WorkerEvent, WorkerTask } from "./worker.ts";

/** After a lazy unmount, how long those still inside are served. */
const GRACE_MS = 5_000;
/** A worker needs few objects: small heaps keep the daemon's memory down. */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 };

/**
 * Worker threads that were started but not yet given a session: starting them takes as long as checking an
 * image, so both happen at once.
 */
export class WorkerPool {
  readonly workers: readonly Worker[];

  constructor(threads: number) {
    const url = new URL("./worker.js", import.meta.url);
    this.workers = Array.from({ length: threads }, () => new Worker(url, { resourceLimits: LIMITS }));
  }

  /** Ends workers that have no session; one that serves cannot be ended this way. */
  async close(): Promise<void> {
    await Promise.all(this.workers.map((w) => w.terminate()));
  }
}

/**
 * Mounts through /dev/fuse and serves from worker threads; this thread never answers a request.
 *
 * @returns once INIT was answered: the next request can be
 * @throws StartError when the mount cannot be made; nothing is mounted then
 */
export async function serveDirect(request: MountRequest, pool: WorkerPool): Promise<Session> {
  const { image, mountpoint, log } = request;
  const fd = mountDevice(mountpoint, request.source, [...MOUNT_OPTIONS, ...request.options]);
  const stopBuffer = new SharedArrayBuffer(4);
  const stopFlag = new Int32Array(stopBuffer);
  const counters = newCounters(pool.workers.length);
  const known = new Known(Math.ceil(image.handle.shared.byteLength / 32));
  let initDone: (agreed: Agreed) => void = () => {};
  const agreed = new Promise<Agreed>((resolve) => {
    initDone = resolve;
  });
  const endings = pool.workers.map((worker, index) => {
    const task: WorkerTask = {
      fd,
      index,
      handle: image.handle,
      files: image.files,
      known: known.shared,
      counters,
      stop: stopBuffer,
      maxRead: maxPages() * 4096,
    };
    return follow(worker, task, initDone, log.warn);
  });
  const ended = Promise.all(endings).then((all) => {
    close(fd, () => {});
    return all.find((e) => e.how === "failed") ?? all[0];
  });
  const first = await Promise.race([agreed, ended]);
  if ("how" in first)
    throw new StartError(`the session ended before it began: ${first.how} ${first.message}`);
  log.debug(`read-ahead of ${mountpoint}: ${raiseReadAhead(mountpoint)}`);

  let isStopping = false;
  const stopServing = () => {
    Atomics.store(stopFlag, 0, 1);
    for (let i = 0; i < pool.workers.length; i++) wakeWorker(fd);
  };
  return {
    transport: "direct",
    workers: pool.workers.length,
    protocol: `7.${first.minor}, reads up to ${first.maxRead} bytes`,
    ended,
    counts: () => countsOf(counters),
    stop: async () => {
      if (isStopping) {
        stopServing();
        return;
      }
      isStopping = true;
      if ((await unmount(mountpoint)) !== "detached") return;
      log.warn(`${mountpoint} is busy: detached; those inside are served for ${GRACE_MS / 1000} s more`);
      const timer = setTimeout(stopServing, GRACE_MS);
      ended.finally(() => clearTimeout(timer));
    },
  };
}

/** Hands a worker its task and listens to it until it ends. */
function follow(
  worker: Worker,
  task: WorkerTask,
  onInit: (agreed: Agreed) => void,
  onProblem: (message: string) => void,
): Promise<Ended> {
  return new Promise((resolve) => {
    worker.on("message", (event: WorkerEvent) => {
      if (event.type === "init") onInit(event.agreed);
      else if (event.type === "problem") onProblem(event.message);
      else resolve({ how: event.ending, message: event.message });
    });
    worker.on("error", (error) => resolve({ how: "failed", message: messageOf(error) }));
    worker.on("exit", () => resolve({ how: "failed", message: "the worker exited" }));
    worker.postMessage(task);
  });
}
