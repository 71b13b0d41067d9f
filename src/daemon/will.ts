import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, StartError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import type { Session, Transferable } from "../session/transport.ts";
import { askForNext, endNext, isKept, type Keeper, tellServing } from "../takeover/keeper.ts";
import type { SessionState } from "../takeover/state.ts";
import type { StateFile } from "../takeover/state-file.ts";
import { Successor } from "../takeover/talk.ts";

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

/** What this process leaves to the one that goes on with its session: in a file, and by word when it can. */
export class Will {
  private readonly file: StateFile;
  private readonly keeper: Keeper | undefined;
  private readonly log: Logger;
  private readonly successor = new Successor(() => this.state());
  private transfer: Transferable | undefined;
  private timer: NodeJS.Timeout | undefined;
  private written = "";
  /** Serials of the images of which it is written what was found out. */
  private known = "";
  private isBroken = false;
  private isUpgrading = false;
  private isOver = false;
  private onAwaiting: () => void = () => {};
  private readonly awaiting = new Promise<void>((resolve) => {
    this.onAwaiting = resolve;
  });
  /** Told to hand over to a process that has a keeper. */
  onAdopt: () => void = () => {};
  /** Resolves when nothing is left to be done by a process that hands over. */
  handedOver: Promise<void> = Promise.resolve();

  constructor(file: StateFile, keeper: Keeper | undefined, log: Logger) {
    this.file = file;
    this.keeper = keeper;
    this.log = log;
  }

  /** Written before anything happens that a successor would have to know. */
  record = (state: SessionState): void => {
    if (this.isOver) return;
    this.write(state);
    if (state.device === "") this.arm();
    if (this.transfer !== undefined) this.successor.changed();
  };

  private write(state: SessionState): void {
    try {
      this.file.write(state);
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
    process.on("uncaughtException", (error) => {
      this.log.error(`${error.stack ?? error}`);
      // Exiting would wait for threads that block.
      process.kill(process.pid, "SIGKILL");
    });
  }

  /** Requests are answered from now on. */
  serving({ transfer }: Session): void {
    const { keeper } = this;
    this.transfer = transfer;
    if (transfer === undefined) return;
    this.timer = setInterval(() => this.save(), PERIOD_MS).unref();
    setImmediate(() => this.save());
    if (keeper !== undefined) setTimeout(() => this.isOver || tellServing(keeper), WELL_MS).unref();
    this.successor.onAdopt = () => {
      if (keeper === undefined || !isKept(keeper)) this.onAdopt();
    };
  }

  /**
   * Another process may come and ask for the session: the one before this one does not listen any more.
   *
   * @param hasStandby one is to stand by that has opened everything already
   */
  async await(hasStandby: boolean): Promise<void> {
    const { keeper } = this;
    if (this.transfer === undefined) return;
    await this.successor.listen(this.file.socket).catch((error) => this.log.error(messageOf(error)));
    this.onAwaiting();
    if (!hasStandby || keeper === undefined) return;
    askForNext(keeper);
    this.successor.onLeft = () => {
      setTimeout(() => this.isOver || this.isUpgrading || askForNext(keeper), STANDBY_MS).unref();
    };
  }

  /** Not before anybody waits for it: only a process that takes over quickly needs it. */
  private writeChecked({ images }: SessionState): void {
    const serials = new Set(images.map(({ serial }) => serial));
    if (this.transfer === undefined || [...serials].join() === this.known) return;
    this.known = [...serials].join();
    try {
      this.file.writeChecked(serials, this.transfer.checkedOf);
    } catch (error) {
      this.log.warn(`${this.file.path}: ${messageOf(error)}: a takeover will take longer`);
    }
  }

  /** What was counted must not be less after a crash than what somebody was told. */
  save(): void {
    if (this.transfer === undefined || this.isOver) return;
    const state = this.transfer.state();
    const counts = JSON.stringify([state.counts, state.places]);
    if (counts === this.written) return;
    this.written = counts;
    this.write(state);
    this.writeChecked(state);
  }

  /**
   * Has the version started that is installed now. Nothing else happens before `handOver`.
   *
   * @returns which one it is
   * @throws StartError when it is not ready in time: nothing has changed then
   */
  async prepareUpgrade(): Promise<string> {
    const { keeper } = this;
    if (keeper === undefined || this.transfer === undefined)
      throw new StartError("an upgrade needs a keeper: this daemon was started without one");
    if (this.isUpgrading || this.isOver) throw new StartError("an upgrade is under way");
    this.isUpgrading = true;
    await this.awaiting;
    try {
      await this.dismiss(keeper);
      askForNext(keeper);
      const next = await this.successor.whenReady(READY_MS);
      if (next !== undefined) return next.version;
      endNext(keeper);
      throw new StartError(`the new version was not ready in ${READY_MS / 1000} s; this one goes on`);
    } catch (error) {
      this.isUpgrading = false;
      throw error;
    }
  }

  /** Ends the one that stands by: it is of the version that runs. */
  private async dismiss(keeper: Keeper): Promise<void> {
    if (!this.successor.isThere) return;
    endNext(keeper);
    await this.successor.gone();
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
    this.successor.begin();
    // Threads that are left would keep this process from exiting; its successor asks for their requests again.
    if (!(await drained)) process.kill(process.pid, "SIGKILL");
    await this.successor.over(transfer.balances());
    this.close();
  }

  /** The session is over, and nobody is to go on with it. */
  end(): void {
    this.file.remove(); // first: who stands by looks there when this process is gone
    this.close();
  }

  close(): void {
    this.isOver = true;
    clearInterval(this.timer);
    this.successor.close();
  }

  private state(): SessionState {
    if (this.transfer === undefined) throw new Error("there is no session yet");
    return this.transfer.state();
  }
}
