import { close } from "node:fs";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { abortConnection, holdAbort } from "../fuse/abort.ts";
import type { Agreed } from "../fuse/init.ts";
import { CONTROL, newControl } from "../fuse/control.ts";
import { traceLogged } from "../fuse/request-tracer.ts";
import { OP_COUNT } from "../vfs/opcodes.ts";
import { lastUnique, newInflight } from "../counters/inflight.ts";
import type { Logger } from "../log/log.ts";
import { systemClock } from "./clock.ts";
import { answerKilledCallers, isAsleep } from "./killed-callers.ts";
import { deviceWrite, Notifier } from "./notifier.ts";
import { LowLatency } from "./low-latency.ts";
import { ReadaheadThreads } from "./readahead-threads.ts";
import { StallMonitor } from "./stall-monitor.ts";
import { counterRows, maxWorkers } from "./worker-limits.ts";
import type { WorkerPool } from "./worker-pool.ts";
import { drainWorkers, probeMount, Publisher } from "./publisher.ts";
import { DirectSession } from "./direct-session.ts";
import type { Ended } from "./ended.ts";
import { ImageTable } from "./image-table.ts";
import type { SessionSeed } from "./seed.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import type { Session } from "./transport.ts";
import type { WorkerListener } from "./worker-handle.ts";

/** How a session is served, and what is told of its changes. */
export interface RunOptions {
  readonly pool: WorkerPool;
  readonly push: boolean;
  /** Keep CPUs awake while requests come in numbers. */
  readonly lowLatency: boolean;
  /** The process gives up root's rights later: what only root may open is opened now. */
  readonly willDropRoot: boolean;
  /** Called before workers and kernel learn of a change, which the next process would have to know. @throws NotWrittenDown */
  readonly changed: (snapshot: SessionSnapshot) => void;
  readonly log: Logger;
}

/**
 * Serves what a seed has from worker threads; this thread never answers a request.
 *
 * @returns once INIT was answered: the next request can be
 * @throws OperationalError when the mount cannot be made; nothing is mounted then
 */
export async function runSession(seed: SessionSeed, options: RunOptions): Promise<Session> {
  const { device: fd, place, terms, takeovers } = seed;
  const { pool, push, changed, log } = options;
  const inflightTable = newInflight(maxWorkers(pool.limit));
  const shared = newControl(maxWorkers(pool.limit));
  const control = new Int32Array(shared);
  const publisher = new Publisher({
    ...{ control, inflightTable },
    notifier: new Notifier(deviceWrite(fd), log),
    probe: probeMount(place),
  });
  const readaheadThreads = new ReadaheadThreads(fd, counterRows(pool.limit), log);
  let agreed = seed.agreed ?? { minor: 0, maxRead: terms.maxRead };
  const snapshot = (device: string | undefined, isCounted: boolean): SessionSnapshot => ({
    ...images.state(isCounted),
    ...{ device, agreed, traits: terms.traits, isFixed: terms.isFixed, since: terms.since },
    ...{ mountpoint: place.path, takeovers, lastUnique: lastUnique(inflightTable) },
  });
  const images = new ImageTable({
    ...{ limit: pool.limit, push, held: seed.held, publisher, log },
    beforeFree: (slot) => readaheadThreads.stop(slot),
    beforeChange: () => changed(snapshot(device, true)),
  });
  const { slots } = images;
  const endTrace = log.watchTrace((isOn) => Atomics.store(control, CONTROL.TRACE, isOn ? 1 : 0));
  seed.fill(images);
  if (seed.agreed === undefined) changed(snapshot(undefined, false));
  const device = seed.attach();
  const rearm = () => Atomics.store(control, CONTROL.RATE_WATCHED, 0);
  const lowLatency = options.lowLatency ? new LowLatency(() => requests(images), rearm, log) : undefined;
  let onInit: (agreed: Agreed) => void = () => {};
  const answered = new Promise<Agreed>((resolve) => {
    onInit = resolve;
  });
  const listener: WorkerListener = {
    init: (event) => onInit(event.agreed),
    contention: () => {
      if (pool.grow()) Atomics.store(control, CONTROL.CONTENTION_REPORTED, 0);
    },
    busy: () => lowLatency?.watch(),
    trace: ({ line }) => {
      log.trace(line);
      const leftOut = traceLogged(control);
      if (leftOut > 0) log.trace(`${leftOut} requests and their replies were left out: too many for the log`);
    },
    problem: (event) => log.warn(event.message),
    sequential: ({ slot }) => {
      const instance = slots.at(slot);
      if (instance !== undefined) readaheadThreads.start(instance.shared);
    },
  };
  const task = {
    fd,
    control: shared,
    counters: slots.session,
    inflightTable,
    maxRead: agreed.maxRead,
    traits: terms.traits,
    isFixed: terms.isFixed,
    maxOpen: seed.maxOpen,
    since: terms.since,
  };
  let abort = () => abortConnection(device);
  const endServing = () => {
    Atomics.store(control, CONTROL.STOP, 1);
    drainWorkers(publisher, pool.ended)
      .then(async (haveLeft) => {
        if (!haveLeft) await abort();
      })
      .catch((error: unknown) => log.error(`cannot abort: ${messageOf(error)}`));
  };
  pool.serve({ task, publisher, images: images.snapshot, listener, endServing, log });
  const stallMonitor = new StallMonitor({
    ...{ pool, publisher, control, inflightTable, log, isAsleep },
    clock: systemClock,
    answerKilledCallers: (before) => answerKilledCallers(fd, inflightTable, before),
  });
  const closed = pool.ended.then(async (end): Promise<Ended> => {
    endTrace();
    lowLatency?.close();
    stallMonitor.close();
    await images.close();
    // Not while anything may write to it: the number may be another session's device next.
    await readaheadThreads.close();
    await publisher.close();
    close(fd, () => {});
    return end.how === "aborted" && control[CONTROL.STOP] === 1 ? { ...end, how: "stopped" } : end;
  });
  if (seed.agreed === undefined) {
    const answer = await Promise.race([answered, closed]);
    if ("how" in answer) {
      await seed.onNoInit();
      throw new OperationalError(
        `the kernel ended the connection before the mount could be used: ${answer.how} ${answer.message}`,
      );
    }
    agreed = answer;
    seed.onInit();
  }
  try {
    // Nothing was counted by a session that has just begun.
    changed(snapshot(device, seed.agreed !== undefined));
  } catch {} // said already; what was written before is true, and says less
  if (options.willDropRoot) abort = await holdAbort(device).catch(() => abort);
  return new DirectSession({
    ...{ seed, device, agreed, pool, images, publisher, control, inflightTable, closed, abort, log },
    snapshot: () => snapshot(device, true),
  });
}

/** Requests served so far, by all workers. */
function requests({ slots }: ImageTable): number {
  const counts = slots.counts();
  let sum = 0;
  for (let opcode = 0; opcode < OP_COUNT; opcode++) sum += counts[opcode];
  return sum;
}
