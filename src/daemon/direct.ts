import { close } from "node:fs";
import { Worker } from "node:worker_threads";
import { messageOf, StartError } from "../bytes/errors.ts";
import { abortConnection } from "../fuse/abort.ts";
import { MOUNT_OPTIONS, maxPages, mountDevice, raiseReadAhead } from "../fuse/device.ts";
import type { Agreed } from "../fuse/init.ts";
import { Known } from "../fuse/known.ts";
import { newBoard, PushBoard } from "../fuse/push-board.ts";
import { CONTROL } from "../fuse/serve.ts";
import { OP_COUNT } from "../fuse/wire.ts";
import { newCounters, total } from "../metrics/counters.ts";
import { mountAt } from "../mounts/table.ts";
import { detach, unmount } from "../mounts/umount.ts";
import { type Crew, LIMITS, type Listener } from "./crew.ts";
import type { Logger } from "./log.ts";
import { LowLatency } from "./low-latency.ts";
import type { PusherTask } from "./pusher-thread.ts";
import type { MountRequest, Session } from "./transport.ts";
import type { SharedState, WorkerEvent } from "./worker.ts";

/** After a lazy unmount, how long those still inside are served. */
const GRACE_MS = 5_000;
/** How long the pusher may take to leave; it does nothing that waits once the session is over. */
const LEAVE_MS = 2_000;
/**
 * Mounts through /dev/fuse and serves from worker threads; this thread never answers a request.
 *
 * @returns once INIT was answered: the next request can be
 * @throws StartError when the mount cannot be made; nothing is mounted then
 */
export async function serveDirect(request: MountRequest, crew: Crew): Promise<Session> {
  const { image, mountpoint, log } = request;
  const fd = mountDevice(mountpoint, request.source, [...MOUNT_OPTIONS, ...request.options]);
  const control = new SharedArrayBuffer(4 * CONTROL.LENGTH);
  const words = new Int32Array(control);
  // One slot a worker, and one for the pusher.
  const counters = newCounters(crew.limit + 1);
  const nodes = Math.ceil(image.handle.shared.byteLength / 32);
  const shared: SharedState = {
    fd,
    handle: image.handle,
    files: image.files,
    known: new Known(nodes).shared,
    counters,
    lost: new SharedArrayBuffer(image.files.length),
  };
  const board = request.push ? newBoard(nodes) : undefined;
  const rearm = () => Atomics.store(words, CONTROL.WATCHED, 0);
  const lowLatency = request.lowLatency ? new LowLatency(() => requests(counters), rearm, log) : undefined;
  let pusher: Pusher | undefined;
  let onInit: (agreed: Agreed) => void = () => {};
  const agreed = new Promise<Agreed>((resolve) => {
    onInit = resolve;
  });
  const heard: Listener = {
    init: (event) => onInit(event.agreed),
    crowded: () => {
      if (crew.grow()) Atomics.store(words, CONTROL.CROWDED, 0);
    },
    busy: () => lowLatency?.watch(),
    problem: (event) => log.warn(event.message),
    sequential: () => {
      if (board === undefined || pusher !== undefined) return;
      pusher = startPusher({ ...shared, index: crew.limit, board }, log);
      pusher.gone.then(() => {
        pusher = undefined;
      });
    },
  };
  const maxRead = maxPages() * 4096;
  const taskOf = (index: number) => ({
    ...shared,
    index,
    control,
    maxRead,
    board,
    trace: request.trace?.[index],
  });
  crew.serve(taskOf, heard, log);
  const ended = crew.ended.then(async (end) => {
    lowLatency?.close();
    if (board !== undefined) new PushBoard(board).end();
    // Not before nobody writes to it: the number may be another session's device next.
    await pusher?.leave();
    close(fd, () => {});
    return end.how === "aborted" && words[CONTROL.STOP] === 1 ? { ...end, how: "stopped" as const } : end;
  });
  const first = await Promise.race([agreed, ended]);
  if ("how" in first) {
    await detach(mountpoint).catch(() => {}); // it may be gone already
    throw new StartError(`the session ended before it began: ${first.how} ${first.message}`);
  }
  log.debug(`read-ahead of ${mountpoint}: ${raiseReadAhead(mountpoint)}`);

  // Taken now: a detached mount is in no table.
  const device = mountAt(mountpoint)?.device ?? "";
  let isStopping = false;
  const stopServing = () => {
    Atomics.store(words, CONTROL.STOP, 1);
    abortConnection(device).catch((error) => log.error(`cannot abort: ${messageOf(error)}`));
  };
  return {
    facts: `transport=direct workers=${crew.limit} protocol=7.${first.minor} max_read=${first.maxRead}`,
    ended,
    counters,
    workers: () => crew.workers,
    stop: async () => {
      if (isStopping) {
        stopServing();
        return;
      }
      isStopping = true;
      // Armed whatever umount says: after somebody else's lazy unmount it finds nothing, and people are inside.
      const timer = setTimeout(stopServing, GRACE_MS);
      ended.finally(() => clearTimeout(timer));
      if ((await unmount(mountpoint, device)) === "detached")
        log.warn(`${mountpoint} is busy: detached; those inside are served for ${GRACE_MS / 1000} s more`);
    },
  };
}

interface Pusher {
  /** Resolves when the thread has ended. */
  readonly gone: Promise<unknown>;
  /** Waits for the thread, which was told to end, and ends it when it does not. */
  leave(): Promise<unknown>;
}

/** Started when a sequential reader was seen, so that other mounts do not pay for it. */
function startPusher(task: PusherTask, log: Logger): Pusher {
  const thread = new Worker(new URL("./pusher-thread.js", import.meta.url), { resourceLimits: LIMITS });
  thread.on("error", (error) => log.error(`the pusher failed: ${messageOf(error)}`));
  thread.on("message", (event: WorkerEvent) => {
    if (event.type === "ended" && event.ending === "failed") log.error(`the pusher failed: ${event.message}`);
  });
  const gone = new Promise((resolve) => thread.once("exit", resolve));
  thread.postMessage(task);
  const leave = () => {
    const timer = setTimeout(() => thread.terminate(), LEAVE_MS);
    return gone.finally(() => clearTimeout(timer));
  };
  return { gone, leave };
}

/** Requests served so far, by all workers. */
function requests(counters: SharedArrayBuffer): number {
  let sum = 0;
  for (let opcode = 0; opcode < OP_COUNT; opcode++) sum += total(counters, opcode);
  return sum;
}
