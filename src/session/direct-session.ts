import { messageOf } from "../bytes/errors.ts";
import { type Inflight, inflight, lastUnique } from "../counters/inflight.ts";
import type { Agreed } from "../fuse/init.ts";
import { recoverRequests } from "../fuse/lost-requests.ts";
import { CONTROL } from "../fuse/control.ts";
import type { Logger } from "../log/log.ts";
import { leaveMount } from "../mounts/leave.ts";
import type { Traits } from "../vfs/file-system.ts";
import type { Ended } from "./ended.ts";
import type { ImageTable } from "./image-table.ts";
import { drainWorkers, type Publisher } from "./publisher.ts";
import { checkedState } from "./reopen-image.ts";
import type { SessionSeed, Takeovers } from "./seed.ts";
import type { CheckedState, SessionSnapshot } from "./snapshot.ts";
import type { Session, SessionFacts, Transferable } from "./transport.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** After a lazy unmount, how long those still inside are served. */
const GRACE_MS = 5_000;

/** What serves a session. */
export interface DirectParts {
  readonly seed: SessionSeed;
  /** `major:minor` of the mount. */
  readonly device: string;
  readonly agreed: Agreed;
  readonly pool: WorkerPool;
  readonly images: ImageTable;
  readonly publisher: Publisher;
  readonly control: Int32Array;
  /** See counters/inflight. */
  readonly inflightTable: SharedArrayBuffer;
  readonly snapshot: () => SessionSnapshot;
  /** Resolves when all of these have ended. */
  readonly closed: Promise<Ended>;
  /** Aborts the connection: whatever waits for an answer fails. */
  readonly abort: () => Promise<void>;
  readonly log: Logger;
}

/** A session whose workers serve /dev/fuse, once INIT was answered. */
export class DirectSession implements Session, Transferable {
  readonly facts: SessionFacts;
  readonly device: string;
  readonly ended: Promise<Ended>;
  readonly traits: Traits;
  readonly takeovers: Takeovers;
  readonly changes: ImageTable;
  readonly transfer = this;
  readonly fd: number;
  private readonly of: DirectParts;
  private isStopping = false;
  private isHandedOver = false;

  constructor(parts: DirectParts) {
    const { seed, device, agreed, pool, images, closed } = parts;
    this.of = parts;
    this.facts = {
      transport: "direct",
      workers: pool.limit,
      protocol: `7.${agreed.minor}`,
      max_read: agreed.maxRead,
    };
    this.device = device;
    this.fd = seed.device;
    this.traits = seed.terms.traits;
    this.takeovers = seed.takeovers;
    this.changes = images;
    this.ended = closed.then((end) => (this.isHandedOver ? { ...end, how: "handed over" } : end));
  }

  counts = () => this.of.images.slots.counts();
  inflight = (): Inflight[] => inflight(this.of.inflightTable);
  failedBlobs = () => this.of.images.failedBlobs();
  prefetched = () => this.of.images.slots.prefetched();
  images = () => this.of.images.images();
  workers = () => this.of.pool.workers;

  async stop(): Promise<void> {
    if (this.isStopping) return this.stopServing();
    this.isStopping = true;
    // Armed whatever umount says: after another program's lazy unmount it finds nothing, and processes are inside.
    const timer = setTimeout(() => this.stopServing(), GRACE_MS).unref(); // workers keep the process
    const disarm = () => clearTimeout(timer);
    this.ended.then(disarm, disarm);
    const { seed, log } = this.of;
    if ((await leaveMount(seed.place, this.device)) === "detached")
      log.warn(
        `${seed.mountpoint} is busy: detached; processes that use it are served for ${GRACE_MS / 1000} s more`,
      );
  }

  private stopServing(): void {
    const { control, abort, log } = this.of;
    Atomics.store(control, CONTROL.STOP, 1);
    abort().catch((error: unknown) => log.error(`cannot abort: ${messageOf(error)}`));
  }

  state = (): SessionSnapshot => this.of.snapshot();
  lastUnique = () => lastUnique(this.of.inflightTable);
  serials = (): number[] => this.of.images.slots.all().map(({ placed }) => placed.serial);
  knownLookups = () => this.of.images.knownLookups();
  restoreLookups = (lookups: ReadonlyMap<number, number>): void => this.of.images.restoreLookups(lookups);

  checkedOf = (serial: number): CheckedState | undefined => {
    const instance = this.of.images.slots.all().find(({ placed }) => placed.serial === serial);
    return instance && checkedState(instance.pinned);
  };

  handOver(): Promise<boolean> {
    this.isHandedOver = true;
    Atomics.store(this.of.control, CONTROL.STOP, 1);
    return drainWorkers(this.of.publisher, this.ended);
  }

  resend(): void {
    recoverRequests(this.fd, "resend", this.device, 0);
  }
}
