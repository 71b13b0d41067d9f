import { close } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";
import { abortConnection, holdAbort } from "../fuse/abort.ts";
import { MOUNT_OPTIONS, maxPages, mountDevice, openDevice, raiseReadAhead } from "../fuse/device.ts";
import type { Agreed } from "../fuse/init.ts";
import { recoverRequests } from "../fuse/lost-requests.ts";
import { CONTROL, newControl } from "../fuse/control.ts";
import { traceLogged } from "../fuse/request-tracer.ts";
import { OP_COUNT } from "../vfs/opcodes.ts";
import { inflight, lastUnique, newInflight } from "../counters/inflight.ts";
import { leaveMount } from "../mounts/leave.ts";
import { mountAt } from "../mounts/table.ts";
import { detach } from "../mounts/umount.ts";
import { processState } from "../proc/processes.ts";
import type { Traits } from "../vfs/file-system.ts";
import { systemClock } from "./clock.ts";
import { answerKilledCallers, isAsleep } from "./killed-callers.ts";
import { deviceWrite, Notifier } from "./notifier.ts";
import { checkedState } from "./reopen-image.ts";
import { LowLatency } from "./low-latency.ts";
import { Pushers } from "./pushers.ts";
import { StallMonitor } from "./stall-monitor.ts";
import { counterRows, maxWorkers, type WorkerPool } from "./worker-pool.ts";
import { drainWorkers, probeMount, Publisher } from "./publisher.ts";
import { ImageTable } from "./image-table.ts";
import type { MountRequest, Session } from "./transport.ts";
import type { WorkerListener } from "./worker-thread.ts";

/** After a lazy unmount, how long those still inside are served. */
const GRACE_MS = 5_000;

/**
 * Mounts through /dev/fuse and serves from worker threads; this thread never answers a request.
 *
 * @returns once INIT was answered: the next request can be
 * @throws StartError when the mount cannot be made; nothing is mounted then
 */
export async function serveDirect(request: MountRequest, pool: WorkerPool): Promise<Session> {
  const { first: initial, mountpoint, place, heritage, log } = request;
  const fd = heritage?.device ?? request.device ?? openDevice();
  const inflightTable = newInflight(maxWorkers(pool.limit));
  const control = newControl(maxWorkers(pool.limit));
  const words = new Int32Array(control);
  const publisher = new Publisher({
    notifier: new Notifier(deviceWrite(fd), log),
    control: words,
    inflightTable,
    probe: probeMount(place),
  });
  const pushers = new Pushers(fd, counterRows(pool.limit), log);
  const imageTable = new ImageTable({
    limit: pool.limit,
    push: request.push,
    held: request.held,
    publisher,
    beforeFree: (slot) => pushers.stop(slot),
    beforeChange: () => request.record(stateNow()),
    log,
  });
  const { slots } = imageTable;
  log.watchTrace((isOn) => Atomics.store(words, CONTROL.TRACE, isOn ? 1 : 0));
  if (heritage !== undefined) imageTable.restore(heritage.state, ({ serial }) => heritage.images.get(serial));
  else if (initial !== undefined) imageTable.mountFirst(initial.names, initial.pinned, initial.tracing);
  const facts = heritage?.state ?? factsOf(request);
  let first = facts.agreed;
  const before = heritage?.state.takeovers ?? { all: -1, crashes: 0 };
  const takeovers = {
    all: before.all + 1,
    crashes: before.crashes + (heritage?.lost === undefined ? 0 : 1),
  };
  const state = (device: string, agreed: Agreed, isCounted: boolean) => ({
    ...imageTable.state(isCounted),
    ...{ device, agreed, traits: facts.traits, isFixed: facts.isFixed, since: facts.since },
    mountpoint: place.path,
    takeovers,
    lastUnique: lastUnique(inflightTable),
    serving: processState(process.pid),
    owner: processState(request.keeper),
  });
  const stateNow = () => state(device, first, true);
  if (heritage === undefined) {
    request.record(state("", facts.agreed, false));
    mountDevice(fd, mountpoint, request.source, [...MOUNT_OPTIONS, ...request.options], request.owner);
  }
  // Taken now: a detached mount is in no table.
  const device = heritage?.state.device ?? mountAt(mountpoint)?.device ?? "";
  const rearm = () => Atomics.store(words, CONTROL.RATE_WATCHED, 0);
  const lowLatency = request.lowLatency ? new LowLatency(() => requests(imageTable), rearm, log) : undefined;
  let onInit: (agreed: Agreed) => void = () => {};
  const agreed = new Promise<Agreed>((resolve) => {
    onInit = resolve;
  });
  const listener: WorkerListener = {
    init: (event) => onInit(event.agreed),
    contention: () => {
      if (pool.grow()) Atomics.store(words, CONTROL.CONTENTION_REPORTED, 0);
    },
    busy: () => lowLatency?.watch(),
    trace: ({ line }) => {
      log.trace(line);
      const leftOut = traceLogged(words);
      if (leftOut > 0) log.trace(`${leftOut} requests and their replies were left out: too many for the log`);
    },
    problem: (event) => log.warn(event.message),
    sequential: ({ slot }) => {
      const instance = slots.at(slot);
      if (instance !== undefined) pushers.start(instance.shared);
    },
  };
  const task = {
    fd,
    control,
    counters: slots.session,
    inflightTable,
    maxRead: facts.agreed.maxRead,
    traits: facts.traits,
    isFixed: facts.isFixed,
    maxOpen: request.maxOpen,
    since: facts.since,
  };
  if (heritage?.lost !== undefined) {
    const { device, lastUnique } = heritage.state;
    log.info(`requests that were being answered: ${recoverRequests(fd, heritage.lost, device, lastUnique)}`);
  }
  pool.serve({ task, publisher, images: imageTable.snapshot, listener, log });
  const stallMonitor = new StallMonitor({
    ...{ pool, publisher, control: words, inflightTable, log, isAsleep },
    clock: systemClock,
    answerKilledCallers: (before) => answerKilledCallers(fd, inflightTable, before),
  });
  let isHandedOver = false;
  const ended = pool.ended.then(async (end) => {
    lowLatency?.close();
    stallMonitor.close();
    await imageTable.close();
    // Not before nobody writes to it: the number may be another session's device next.
    await pushers.close();
    await publisher.close();
    close(fd, () => {});
    if (isHandedOver) return { ...end, how: "handed over" as const };
    return end.how === "aborted" && words[CONTROL.STOP] === 1 ? { ...end, how: "stopped" as const } : end;
  });
  if (heritage === undefined) {
    // The kernel says it once, to the process that served first.
    const answer = await Promise.race([agreed, ended]);
    if ("how" in answer) {
      await detach(mountpoint).catch(() => {}); // it may be gone already
      throw new StartError(
        `the kernel ended the connection before the mount could be used: ${answer.how} ${answer.message}`,
      );
    }
    first = answer;
  }
  if (heritage === undefined) log.debug(`read-ahead of ${mountpoint}: ${raiseReadAhead(mountpoint)}`);

  request.record(state(device, first, heritage !== undefined));
  const abortLater = () => abortConnection(device);
  const abort = request.owner === undefined ? abortLater : await holdAbort(device).catch(() => abortLater);
  let isStopping = false;
  const stopServing = () => {
    Atomics.store(words, CONTROL.STOP, 1);
    abort().catch((error) => log.error(`cannot abort: ${messageOf(error)}`));
  };
  return {
    facts: {
      transport: "direct",
      workers: pool.limit,
      protocol: `7.${first.minor}`,
      max_read: first.maxRead,
    },
    device,
    ended,
    counts: () => slots.counts(),
    inflight: () => inflight(inflightTable),
    failedBlobs: () => imageTable.failedBlobs(),
    prefetched: () => slots.prefetched(),
    traits: task.traits,
    images: () => imageTable.images(),
    changes: imageTable,
    workers: () => pool.workers,
    takeovers,
    transfer: {
      device: fd,
      state: stateNow,
      lastUnique: () => lastUnique(inflightTable),
      serials: () => slots.all().map(({ placed }) => placed.serial),
      checkedOf: (serial) => {
        const instance = slots.all().find(({ placed }) => placed.serial === serial);
        return instance && checkedState(instance.pinned);
      },
      handOver: () => {
        isHandedOver = true;
        Atomics.store(words, CONTROL.STOP, 1);
        return drainWorkers(publisher, ended);
      },
      balances: () => imageTable.knownLookups(),
      settle: imageTable.restoreLookups,
      resend: () => recoverRequests(fd, "resend", device, 0),
    },
    stop: async () => {
      if (isStopping) {
        stopServing();
        return;
      }
      isStopping = true;
      // Armed whatever umount says: after somebody else's lazy unmount it finds nothing, and people are inside.
      const timer = setTimeout(stopServing, GRACE_MS);
      const disarm = () => clearTimeout(timer);
      ended.then(disarm, disarm);
      if ((await leaveMount(place, device)) === "detached")
        log.warn(
          `${mountpoint} is busy: detached; processes that use it are served for ${GRACE_MS / 1000} s more`,
        );
    },
  };
}

/**
 * What the kernel is to ask for at all is agreed on once, also for images that come later: then everything. What is not
 * there answers so each time.
 */
function traitsOf({ first, mayChange }: MountRequest): Traits {
  if (first === undefined || (mayChange && first.names.length > 0)) return { hasXattrs: true, hasAcls: true };
  const { hasXattrs, hasAcls } = first.pinned.image.handle;
  return { hasXattrs: hasXattrs || mayChange, hasAcls };
}

/** What is agreed on with the kernel for as long as the session lasts, whoever serves it. */
const factsOf = (request: MountRequest) => ({
  agreed: { minor: 0, maxRead: maxPages() * 4096 },
  traits: traitsOf(request),
  isFixed: !request.mayChange && request.first !== undefined && request.first.names.length === 0,
  since: Math.floor(Date.now() / 1000),
});

/** Requests served so far, by all workers. */
function requests({ slots }: ImageTable): number {
  const counts = slots.counts();
  let sum = 0;
  for (let opcode = 0; opcode < OP_COUNT; opcode++) sum += counts[opcode];
  return sum;
}
