import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { killSelf, onUncaught } from "../proc/process-guard.ts";
import { type Clock, systemClock } from "../session/clock.ts";
import type { Ended } from "../session/ended.ts";
import type { SessionSnapshot } from "../session/snapshot.ts";
import type { Session, Transferable } from "../session/transport.ts";
import { askForNext, endNext, isKept, type Keeper, tellServing } from "./keeper.ts";
import type { Successor, SuccessorEvents } from "./protocol.ts";
import { type SessionState, stateOf } from "./state.ts";
import type { StateFile } from "./state-file.ts";
import { StateWriter } from "./state-writer.ts";

/** Between two looks at the keeper, and at totals that are not written. */
const PERIOD_MS = 1_000;
/** Of service, after which the keeper counts a process as one that works. */
const WELL_MS = 250;
/** For a new version to be ready. */
const READY_MS = 10_000;
/** Longest that no process takes requests while workers of this one leave. */
const HOLD_MS = 100;
/** Between the end of a standby and the beginning of the next: it may have died of what it found. */
const STANDBY_MS = 1_000;

/** Failure was said to the caller that asked for the successor. */
const ignore = (): undefined => undefined;

/** What an outgoing handover works with; tests stand in for all of it. */
export interface OutgoingDeps {
  readonly file: StateFile;
  /** undefined: no keeper starts another process. */
  readonly keeper: Keeper | undefined;
  /** Files beside the state that the session removes in the end. */
  readonly made?: readonly string[];
  /** Told to hand over to a process that has a keeper, when this one has lost its own. */
  readonly onAdopt: () => void;
  readonly log: Logger;
  /** What is said to the keeper. */
  readonly signals?: typeof KEEPER_SIGNALS;
  /** Listens for the next process. */
  readonly listen?: (state: () => SessionState, events: SuccessorEvents, path: string) => Promise<Successor>;
  readonly clock?: Clock;
  readonly kill?: () => void;
}

const KEEPER_SIGNALS = { tellServing, askForNext, endNext, isKept };

/** Loaded only when a process is expected: the modules take 5 MB. */
async function listenForSuccessor(
  state: () => SessionState,
  events: SuccessorEvents,
  path: string,
): Promise<Successor> {
  const { Successor } = await import("./protocol.ts");
  const successor = new Successor(state, events);
  await successor.listen(path);
  return successor;
}

/** How a session leaves this process: by its state on disk when the process dies, by a handover when it can. */
export class OutgoingHandover {
  readonly file: StateFile;
  /** Resolves when a process that hands over has nothing left to do. */
  handedOver: Promise<void> = Promise.resolve();
  private readonly of: Required<Omit<OutgoingDeps, "keeper">> & Pick<OutgoingDeps, "keeper">;
  private readonly writer: StateWriter;
  /** The end of the process before this one: it may listen for a successor until then. */
  private before: Promise<unknown> = Promise.resolve();
  private successor: Promise<Successor> | undefined;
  private transfer: Transferable | undefined;
  private stopLooking = () => {};
  private isStandby = false;
  private isUpgrading = false;
  private isOver = false;
  private isOrphan = false;

  constructor(deps: OutgoingDeps) {
    this.of = {
      ...{
        signals: KEEPER_SIGNALS,
        listen: listenForSuccessor,
        clock: systemClock,
        kill: killSelf,
        made: [],
      },
      ...deps,
    };
    this.file = deps.file;
    this.writer = new StateWriter(deps.file, deps.keeper?.pid ?? process.pid, this.of.made, deps.log);
  }

  /** Called before workers and kernel learn of a change. @throws NotWrittenDown: it must not happen */
  changed(snapshot: SessionSnapshot): void {
    if (this.isOver) return;
    this.writer.changed(snapshot);
    this.successor?.then((successor) => successor.changed(), ignore);
  }

  /** Mounting begins: from now on the keeper goes on with the session, whatever happens here. */
  arm(): void {
    const { keeper, signals, kill, log } = this.of;
    if (keeper === undefined) return;
    signals.tellServing(keeper);
    onUncaught((error) => {
      log.error((error instanceof Error && error.stack) || String(error));
      kill();
    });
  }

  /** Requests are answered from now on. */
  ready({ session: { transfer } }: { session: Pick<Session, "transfer"> }): void {
    const { keeper, signals, clock } = this.of;
    this.transfer = transfer;
    if (transfer === undefined) return;
    this.writer.follow(transfer);
    this.look();
    if (keeper !== undefined) clock.after(WELL_MS, () => this.isOver || signals.tellServing(keeper));
  }

  /** Has a process stand by that has opened everything already, and another when that is gone. */
  async standBy(): Promise<void> {
    const { keeper, signals } = this.of;
    if (this.transfer === undefined || keeper === undefined) return;
    await this.expect();
    this.isStandby = true;
    signals.askForNext(keeper);
  }

  /** @param before resolves when the process before this one has handed over all: until then it listens there */
  listenAfter(before: Promise<unknown>): void {
    this.before = before;
  }

  /** Writes totals that are about to be shown. */
  save = (): void => this.writer.save();

  /**
   * Has the version started that is installed now. Nothing else happens before `handOver`.
   *
   * @returns which one it is
   * @throws OperationalError when it is not ready in time: nothing has changed then
   */
  async prepareUpgrade(): Promise<string> {
    const { keeper, signals } = this.of;
    if (keeper === undefined)
      throw new OperationalError("an upgrade needs a keeper: this daemon was started without one");
    if (this.transfer === undefined) throw new OperationalError("no requests are answered yet");
    if (this.isUpgrading || this.isOver) throw new OperationalError("an upgrade is under way");
    this.isUpgrading = true;
    try {
      const successor = await this.expect();
      if (successor.isThere) {
        signals.endNext(keeper); // a standby: it is of the version that runs
        await successor.gone();
      }
      signals.askForNext(keeper);
      const next = await successor.whenReady(READY_MS);
      if (next !== undefined) return next.version;
      signals.endNext(keeper);
      throw new OperationalError(
        `the new version was not ready in ${READY_MS / 1000} s; the running version goes on`,
      );
    } catch (error) {
      this.isUpgrading = false;
      throw error;
    }
  }

  /** Lets the process that is ready serve, and ends this one's part. */
  handOver(): void {
    if (this.transfer === undefined || this.isOver) return;
    this.isOver = true;
    this.writer.stop();
    this.stopLooking();
    this.handedOver = this.finish(this.transfer);
  }

  ended({ how }: Ended): void {
    if (how !== "handed over") this.end();
  }

  /** The session is over, and no process is to go on with it. */
  end(): void {
    this.writer.remove(); // first: a standby looks there when this process is gone
    this.close();
  }

  private close(): void {
    this.isOver = true;
    this.stopLooking();
    this.successor?.then((successor) => successor.close(), ignore);
  }

  private async finish(transfer: Transferable): Promise<void> {
    const { clock, kill } = this.of;
    const drained = transfer.handOver();
    // Idle workers are woken by requests, which the other process would take.
    await Promise.race([drained, clock.sleep(HOLD_MS)]);
    const successor = await this.successor?.catch(ignore);
    successor?.begin();
    // Workers that are left would keep this process from exiting; its successor asks for their requests again.
    if (!(await drained)) kill();
    await successor?.over(transfer.knownLookups());
    this.close();
  }

  private expect(): Promise<Successor> {
    const { listen } = this.of;
    const events: SuccessorEvents = { onLeft: () => this.left(), onAdopt: () => this.adopted() };
    this.successor ??= this.before.then(() => listen(() => this.state(), events, this.file.socket));
    this.successor.catch(() => {
      this.successor = undefined; // the next try may succeed
    });
    return this.successor;
  }

  /** The process that was ready has ended, or died. */
  private left(): void {
    const { keeper, signals, clock } = this.of;
    if (keeper === undefined || !this.isStandby) return;
    clock.after(STANDBY_MS, () => this.isOver || this.isUpgrading || signals.askForNext(keeper));
  }

  /** A process that has a keeper asks for the session. */
  private adopted(): void {
    const { keeper, signals, onAdopt } = this.of;
    if (keeper !== undefined && !signals.isKept(keeper)) onAdopt();
  }

  private look(): void {
    this.lookForKeeper();
    this.writer.save();
    this.stopLooking = this.of.clock.after(PERIOD_MS, () => this.look());
  }

  /** Without a keeper only `--recover` helps, which asks this process for the session. */
  private lookForKeeper(): void {
    const { keeper, signals, log } = this.of;
    if (keeper === undefined || this.isOrphan || signals.isKept(keeper)) return;
    this.isOrphan = true;
    log.error(
      `the keeper, process ${keeper.pid}, is gone: run nydusd-ts --recover, or the mount dies with this process`,
    );
    this.expect().catch((error: unknown) => log.error(messageOf(error)));
  }

  private state(): SessionState {
    if (this.transfer === undefined) throw new Error("there is no session yet");
    return stateOf(this.transfer.state(), this.of.keeper?.pid ?? process.pid);
  }
}
