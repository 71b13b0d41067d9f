import { close } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";
import { abortConnection } from "../fuse/abort.ts";
import { MOUNT_OPTIONS, maxPages, mountDevice, raiseReadAhead } from "../fuse/device.ts";
import type { Agreed } from "../fuse/init.ts";
import { CONTROL, newControl } from "../fuse/serve.ts";
import { OP_COUNT } from "../fuse/wire.ts";
import { inflight, newInflight } from "../metrics/inflight.ts";
import { mountAt } from "../mounts/table.ts";
import { detach, unmount } from "../mounts/umount.ts";
import type { Traits } from "../vfs/file-system.ts";
import type { Crew } from "./crew.ts";
import { LowLatency } from "./low-latency.ts";
import { Pushers } from "./pushers.ts";
import { Relief } from "./relief.ts";
import { mostWorkers, workerSlots } from "./spares.ts";
import { Stage } from "./stage.ts";
import { Submounts } from "./submounts.ts";
import type { MountRequest, Session } from "./transport.ts";
import type { Listener } from "./worker-thread.ts";

/** After a lazy unmount, how long those still inside are served. */
const GRACE_MS = 5_000;

/**
 * Mounts through /dev/fuse and serves from worker threads; this thread never answers a request.
 *
 * @returns once INIT was answered: the next request can be
 * @throws StartError when the mount cannot be made; nothing is mounted then
 */
export async function serveDirect(request: MountRequest, crew: Crew): Promise<Session> {
  const { first: initial, mountpoint, log } = request;
  const submounts = new Submounts(crew.limit, request.push, request.held);
  if (initial !== undefined) await submounts.mount(initial.names, initial.taken, initial.tracing);
  const fd = mountDevice(mountpoint, request.source, [...MOUNT_OPTIONS, ...request.options]);
  const control = newControl(mostWorkers(crew.limit));
  const doing = newInflight(mostWorkers(crew.limit));
  const words = new Int32Array(control);
  const { residents } = submounts;
  const rearm = () => Atomics.store(words, CONTROL.WATCHED, 0);
  const lowLatency = request.lowLatency ? new LowLatency(() => requests(submounts), rearm, log) : undefined;
  const pushers = new Pushers(fd, workerSlots(crew.limit), log);
  residents.onFree = (slot) => pushers.stop(slot);
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
    sequential: ({ slot }) => {
      const resident = residents.at(slot);
      if (resident !== undefined) pushers.start(resident.shared);
    },
  };
  const task = {
    fd,
    control,
    counters: residents.session,
    doing,
    maxRead: maxPages() * 4096,
    traits: traitsOf(request),
    isFixed: !request.mayChange && initial !== undefined && initial.names.length === 0,
    maxOpen: request.maxOpen,
    since: Math.floor(Date.now() / 1000),
  };
  crew.serve(task, () => submounts.snapshot(), heard, log);
  const stage = new Stage({ fd, mountpoint, crew, control: words, doing, log });
  submounts.begin(stage);
  const relief = new Relief({ fd, crew, control: words, doing, stage, log });
  const ended = crew.ended.then(async (end) => {
    lowLatency?.close();
    relief.close();
    await residents.close();
    // Not before nobody writes to it: the number may be another session's device next.
    await pushers.close();
    await stage.close();
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
    counts: () => residents.counts(),
    inflight: () => inflight(doing),
    lostBlobs: () => submounts.lostBlobs(),
    prefetched: () => residents.prefetched(),
    traits: task.traits,
    submounts,
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

/**
 * What the kernel is to ask for at all is agreed on once, also for images that come later: then everything. What is not
 * there answers so each time.
 */
function traitsOf({ first, mayChange }: MountRequest): Traits {
  if (first === undefined || (mayChange && first.names.length > 0)) return { hasXattrs: true, hasAcls: true };
  const { hasXattrs, hasAcls } = first.taken.image.handle;
  return { hasXattrs: hasXattrs || mayChange, hasAcls };
}

/** Requests served so far, by all workers. */
function requests({ residents }: Submounts): number {
  const counts = residents.counts();
  let sum = 0;
  for (let opcode = 0; opcode < OP_COUNT; opcode++) sum += counts[opcode];
  return sum;
}
