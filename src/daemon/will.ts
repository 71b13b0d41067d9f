import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, StartError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import type { Ended } from "../session/ended.ts";
import type { SessionSnapshot } from "../session/snapshot.ts";
import type { Session, Transferable } from "../session/transport.ts";
import { askForNext, endNext, isKept, type Keeper, tellServing } from "../handover/keeper.ts";
import { type SessionState, stateOf } from "../handover/state.ts";
import { killSelf, onUncaught } from "../proc/process-guard.ts";
import type { StateFile } from "../handover/state-file.ts";
import type { Successor } from "../handover/talk.ts";

/** Between two looks at whether something was counted that is not written down. */
const PERIOD_MS = 1_000;
/** Of service, after which a process counts as well. */
const WELL_MS = 250;
/** For a new version to be ready. */
const READY_MS = 10_000;
/** Longest that nobody takes requests while threads of this process leave. */
const HOLD_MS = 100;
/** Between the end of a standby and the beginning of the next: it may have died of what it found. */
const STANDBY_MS = 1_000;

/** Told to who asked for it. */
const ignore = (): undefined => undefined;

/** What this process leaves to the one that goes on with its session: in a file, and by word when it can. */
export class Will {
  readonly file: StateFile;
  private readonly keeper: Keeper | undefined;
  private readonly log: Logger;
  /** Told to hand over to a process that has a keeper. */
  private readonly onAdopt: () => void;
  /** Where the next process comes to; made when one is expected, for its modules take 5 MB. */
  private successor: Promise<Successor> | undefined;
  private transfer: Transferable | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** The last request of which something is written. */
  private written = -1;
  /** Serials of the images of which it is written what was found out. */
  private known = "";
  private isBroken = false;
  private isUpgrading = false;
  private isOver = false;
  private isOrphan = false;
  private before: Promise<unknown> = Promise.resolve();
  /** Resolves when nothing is left to be done by a process that hands over. */
  handedOver: Promise<void> = Promise.resolve();

  /** @param onAdopt told to hand over to a process that has a keeper, when this one has lost its own */
  constructor(file: StateFile, keeper: Keeper | undefined, onAdopt: () => void, log: Logger) {
    this.file = file;
    this.keeper = keeper;
    this.onAdopt = onAdopt;
    this.log = log;
  }

  /** Written before anything happens that a successor would have to know. */
  changed = (snapshot: SessionSnapshot): void => {
    if (this.isOver) return;
    this.write(snapshot);
    this.successor?.then((successor) => successor.changed(), ignore);
    if (this.transfer !== undefined) setImmediate(() => this.writeChecked());
  };

  private write(snapshot: SessionSnapshot): void {
    try {
      this.file.write(this.stateOf(snapshot));
      this.isBroken = false;
    } catch (error) {
      // Who reads goes on; only a crash would now be one.
      if (!this.isBroken) this.log.error(`${this.file.path}: ${messageOf(error)}`);
      this.isBroken = true;
    }
  }

  /** Mounting begins: from now on the keeper goes on with the session, whatever happens here. */
  arm(): void {
    if (this.keeper === undefined) return;
    tellServing(this.keeper);
    onUncaught((error) => {
      this.log.error((error instanceof Error && error.stack) || String(error));
      killSelf();
    });
  }

  /** Requests are answered from now on. */
  ready({ session: { transfer } }: { session: Session }): void {
    const { keeper } = this;
    this.transfer = transfer;
    if (transfer === undefined) return;
    this.written = transfer.lastUnique(); // nothing but INIT: an idle daemon has nothing to sum up
    this.timer = setInterval(() => this.save(), PERIOD_MS).unref();
    setImmediate(() => this.writeChecked());
    if (keeper !== undefined) setTimeout(() => this.isOver || tellServing(keeper), WELL_MS).unref();
  }

  /** Has a process stand by that has opened everything already, and another when that is gone. */
  async standBy(): Promise<void> {
    const { keeper } = this;
    if (this.transfer === undefined || keeper === undefined) return;
    const successor = await this.expect();
    successor.onLeft = () => {
      setTimeout(() => this.isOver || this.isUpgrading || askForNext(keeper), STANDBY_MS).unref();
    };
    askForNext(keeper);
  }

  /** The process before this one may listen there until it has handed over. */
  listenAfter(before: Promise<unknown>): void {
    this.before = before;
  }

  private expect(): Promise<Successor> {
    this.successor ??= this.before.then(async () => {
      const { Successor } = await import("../handover/talk.ts");
      const successor = new Successor(() => this.state());
      successor.onAdopt = () => {
        if (this.keeper !== undefined && !isKept(this.keeper)) this.onAdopt();
      };
      await successor.listen(this.file.socket);
      return successor;
    });
    this.successor.catch(() => {
      this.successor = undefined; // the next one may be luckier
    });
    return this.successor;
  }

  /** Then only `--recover` helps, which asks this process for the session. */
  private lookForKeeper(): void {
    if (this.keeper === undefined || this.isOrphan || isKept(this.keeper)) return;
    this.isOrphan = true;
    this.log.error(
      `the keeper, process ${this.keeper.pid}, is gone: run nydusd-ts --recover, or the mount dies with this process`,
    );
    this.expect().catch((error: unknown) => this.log.error(messageOf(error)));
  }

  /** Not before anybody waits for it: only a process that takes over quickly needs it. */
  private writeChecked(): void {
    if (this.transfer === undefined || this.isOver) return;
    const serials = new Set(this.transfer.serials());
    if ([...serials].join() === this.known) return;
    this.known = [...serials].join();
    try {
      const { transfer } = this;
      this.file.writeChecked(serials, (serial) => transfer.checkedOf(serial));
    } catch (error) {
      this.log.warn(`${this.file.path}: ${messageOf(error)}: a takeover will take longer`);
    }
  }

  /** What was counted must not be less after a crash than what somebody was told. */
  save(): void {
    this.lookForKeeper();
    if (this.transfer === undefined || this.isOver) return;
    const last = this.transfer.lastUnique();
    if (last === this.written) return;
    this.written = last;
    this.write(this.transfer.state());
  }

  /**
   * Has the version started that is installed now. Nothing else happens before `handOver`.
   *
   * @returns which one it is
   * @throws StartError when it is not ready in time: nothing has changed then
   */
  async prepareUpgrade(): Promise<string> {
    const { keeper } = this;
    if (keeper === undefined)
      throw new StartError("an upgrade needs a keeper: this daemon was started without one");
    if (this.transfer === undefined) throw new StartError("no requests are answered yet");
    if (this.isUpgrading || this.isOver) throw new StartError("an upgrade is under way");
    this.isUpgrading = true;
    try {
      const successor = await this.expect();
      await this.dismiss(successor, keeper);
      askForNext(keeper);
      const next = await successor.whenReady(READY_MS);
      if (next !== undefined) return next.version;
      endNext(keeper);
      throw new StartError(
        `the new version was not ready in ${READY_MS / 1000} s; the running version goes on`,
      );
    } catch (error) {
      this.isUpgrading = false;
      throw error;
    }
  }

  /** Ends the one that stands by: it is of the version that runs. */
  private async dismiss(successor: Successor, keeper: Keeper): Promise<void> {
    if (!successor.isThere) return;
    endNext(keeper);
    await successor.gone();
  }

  /** Lets the process that is ready serve, and ends this one's part. */
  handOver(): void {
    if (this.transfer === undefined || this.isOver) return;
    this.isOver = true;
    clearInterval(this.timer);
    this.handedOver = this.finish(this.transfer);
  }

  private async finish(transfer: Transferable): Promise<void> {
    const drained = transfer.handOver();
    // Idle threads are woken by requests, which the other process would take.
    await Promise.race([drained, sleep(HOLD_MS)]);
    const successor = await this.successor?.catch(ignore);
    successor?.begin();
    // Threads that are left would keep this process from exiting; its successor asks for their requests again.
    if (!(await drained)) killSelf();
    await successor?.over(transfer.balances());
    this.close();
  }

  ended({ how }: Ended): void {
    if (how !== "handed over") this.end();
  }

  /** The session is over, and no process is to go on with it. */
  end(): void {
    this.file.remove(); // first: who stands by looks there when this process is gone
    this.close();
  }

  close(): void {
    this.isOver = true;
    clearInterval(this.timer);
    this.successor?.then((successor) => successor.close(), ignore);
  }

  private state(): SessionState {
    if (this.transfer === undefined) throw new Error("there is no session yet");
    return this.stateOf(this.transfer.state());
  }

  private stateOf = (snapshot: SessionSnapshot): SessionState =>
    stateOf(snapshot, this.keeper?.pid ?? process.pid);
}
