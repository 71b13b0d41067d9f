import { closeSync } from "node:fs";
import { connect } from "node:net";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import type { FailoverPolicy } from "../fuse/lost-requests.ts";
import type { Logger } from "../log/log.ts";
import type { Transferable } from "../session/transport.ts";
import { isFuseDevice } from "../handover/keeper.ts";
import { formatState, parseState, stateOf } from "../handover/state.ts";
import { MAX_STATE } from "../handover/state-dir.ts";
import { IncomingSession } from "./incoming.ts";
import { isMountedAt } from "./mountpoint.ts";
import { crashed, type Found } from "./resumed.ts";

/*
 * nydusd's choreography, by which nydus-snapshotter upgrades daemons and replaces dead ones: a supervisor keeps the
 * device and the state of each, gets both from one that serves, and gives them to the next.
 */

/** What a supervised daemon was started with. */
export interface SupervisedOptions {
  readonly supervisor: string;
  readonly mountpoint: string;
  readonly apiSocket?: string | undefined;
  /** Nothing is mounted: the API will say what to go on with. */
  readonly upgrade: boolean;
  readonly threads: number;
  /** What becomes of requests that a process had read when it died. */
  readonly failover: FailoverPolicy;
}

/** A daemon's part in that. */
export class Supervised {
  /** What `start` goes on with. */
  readonly given: Promise<Found>;
  /** The supervisor has the session: it outlives this process. */
  isSent = false;
  private readonly options: SupervisedOptions;
  private readonly log: Logger;
  private taken: Found | undefined;
  private give: (found: Found) => void = () => {};

  constructor(options: SupervisedOptions, log: Logger) {
    this.options = options;
    this.log = log;
    this.given = new Promise((resolve) => {
      this.give = resolve;
    });
  }

  /**
   * Whether there is a session to be taken over: it was said so, or, as nydusd sees it, it is mounted and no process listens
   * at this very API socket any more.
   */
  async isToWait(): Promise<boolean> {
    const { upgrade, mountpoint, apiSocket = "" } = this.options;
    const isWaiting = upgrade || (isMountedAt(mountpoint) && (await isDead(apiSocket)));
    // Nothing is mounted by this process: there is nothing to be undone.
    if (isWaiting)
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => this.give("nothing"));
    return isWaiting;
  }

  /** @throws OperationalError */
  async send(transfer: Transferable): Promise<void> {
    const { supervisor } = this.options;
    try {
      await loaded();
      const { sendDescriptor } = await import("../syscalls/pass-descriptor.ts");
      sendDescriptor(supervisor, formatState(stateOf(transfer.state(), process.pid)), transfer.fd);
      this.isSent = true;
    } catch (error) {
      throw new OperationalError(`supervisor ${supervisor}: ${messageOf(error)}`);
    }
  }

  /**
   * Takes what the supervisor keeps, and opens its images.
   *
   * @throws OperationalError, FormatError: nothing has changed then
   */
  async take(): Promise<void> {
    await loaded();
    const { receiveDescriptor } = await import("../syscalls/pass-descriptor.ts");
    const { supervisor, threads, failover } = this.options;
    const from = `supervisor ${supervisor}`;
    const isTrusted = (uid: number) => uid === 0 || uid === process.geteuid?.();
    let received: ReturnType<typeof receiveDescriptor>;
    try {
      received = receiveDescriptor(supervisor, isTrusted, MAX_STATE);
    } catch (error) {
      throw new OperationalError(`${from}: ${messageOf(error)}`);
    }
    const { bytes, fd } = received;
    try {
      if (fd === undefined || !isFuseDevice(fd)) throw new OperationalError(`${from}: no FUSE device came`);
      const incoming = new IncomingSession(threads, fd, () => undefined, this.log);
      const seed = incoming.afterDeath(parseState(bytes, from), failover);
      if (seed === undefined) throw new OperationalError(`${from}: the session is not mounted`);
      this.taken = crashed(seed, 0);
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      throw error;
    }
  }

  start(): void {
    if (this.taken !== undefined) this.give(this.taken);
  }
}

function isDead(socket: string): Promise<boolean> {
  return new Promise((done) => {
    const tried = connect(socket);
    tried.once("error", (error) => done(codeOf(error) === "ECONNREFUSED"));
    tried.once("connect", () => {
      tried.destroy();
      done(false);
    });
  });
}

/** What the package that makes them costs is paid by supervised daemons only. */
async function loaded() {
  const { loadSystemCalls } = await import("../syscalls/system-call.ts");
  await loadSystemCalls();
}
