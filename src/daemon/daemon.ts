import { setFlagsFromString } from "node:v8";
import { messageOf } from "../bytes/errors.ts";
import type { Owner } from "../fuse/device.ts";
import type { Log, Logger } from "../log/log.ts";
import { leaveMount } from "../mounts/leave.ts";
import { type Mountpoint, TrackedMountpoint } from "../mounts/tracked-mountpoint.ts";
import { chooseTransport } from "../session/choose.ts";
import { WorkerPool } from "../session/worker-pool.ts";
import { serveDirect } from "../session/direct.ts";
import type { MountRequest, Session } from "../session/transport.ts";
import { doneWith, handedOver, type Keeper } from "../handover/keeper.ts";
import type { StateFile } from "../handover/state-file.ts";
import { type Api, openApi } from "./api.ts";
import { countsOf } from "./counts.ts";
import type { ReadyFacts } from "./facts.ts";
import { type Faults, watchForFaults } from "./faults.ts";
import type { Inherited } from "./heritage.ts";
import { type Found, inheritedFrom, sayInherited } from "./inherited.ts";
import { Lifecycle, type Served, type SessionObserver } from "./lifecycle.ts";
import type { Monitoring } from "./monitoring.ts";
import type { DaemonOptions } from "./options.ts";
import { Overlay } from "./overlay.ts";
import { keepOutside } from "./own-mount.ts";
import { PidFile } from "./pid-file.ts";
import { spareBudget } from "./rlimit.ts";
import { factsOf, prepareSetting, type Setting } from "./setting.ts";
import { handleSignals } from "./signals.ts";
import { afresh, removeDeadStates, stateFile } from "./state-place.ts";
import type { Supervised } from "./supervised.ts";
import { Transfers } from "./transfers.ts";
import { becomeUser, findUser, mustReach } from "./user.ts";
import { buildInfo } from "./version.ts";
import { Will } from "./will.ts";

/** A session, once requests are answered. */
interface Opened {
  readonly session: Session;
  readonly lifecycle: Lifecycle;
  readonly setting: Setting;
  readonly place: Mountpoint;
  /** A signal has come already, and the session is about to end. */
  readonly isAsked: boolean;
  /** Where no keeper starts another process after an exception. */
  readonly faults: Faults | undefined;
}

/** One process of a daemon: it begins a session, or goes on with one. */
export class Daemon {
  private readonly options: DaemonOptions;
  private readonly log: Log;
  private readonly keeper: Keeper | undefined;
  private api: Api | undefined;
  private monitoring: Monitoring | undefined;
  private will: Will | undefined;
  private readonly transfers: Transfers;
  /** Whom this process becomes once it has mounted. */
  private owner: Owner | undefined;
  private readonly supervised: Supervised | undefined;

  /** @param supervised undefined: nobody supervises it */
  constructor(
    options: DaemonOptions,
    log: Log,
    keeper: Keeper | undefined,
    supervised: Supervised | undefined,
  ) {
    this.options = options;
    this.log = log;
    this.keeper = keeper;
    this.supervised = supervised;
    this.transfers = new Transfers(supervised, () => this.close(), log);
  }

  /** @returns exit status, as the keeper understands it where there is one */
  async run(onReady: (facts: ReadyFacts) => void, setting: Setting | undefined): Promise<number> {
    const { options, keeper } = this;
    // A young generation that never grows: 3.5 MB less (measured), and nothing here allocates fast.
    setFlagsFromString("--semi-space-growth-factor=1");
    const chosen = chooseTransport(options.transport, process.geteuid?.() ?? 0);
    const pool = chosen.name === "direct" ? new WorkerPool(options.threads, spareBudget()) : undefined;
    let opened: Opened;
    try {
      // Who is root no more can neither write a state where root keeps it nor talk to a keeper that is.
      const file = options.user === undefined && pool !== undefined ? stateFile(options, keeper) : undefined;
      const inherited = file && (await this.inherited(file));
      if (inherited === "nothing") {
        await pool?.close();
        return this.status(keeper?.role === "after" ? 1 : 0);
      }
      this.will = file && this.makeWill(file);
      opened =
        inherited === undefined
          ? await this.begin(chosen, pool, setting)
          : await this.goOn(inherited, pool as WorkerPool);
    } catch (error) {
      await pool?.close();
      throw error;
    }
    const { session, lifecycle, isAsked } = opened;
    if (options.standby)
      await this.will
        ?.standBy()
        .catch((error: unknown) => this.log.error(`cannot start a standby: ${messageOf(error)}`));
    if (!isAsked) {
      await this.becomeOwner(lifecycle);
      const { upper } = options;
      onReady({ ...factsOf(opened.setting), ...session.facts, upper, metrics: this.monitoring?.address });
    }
    return this.end(opened);
  }

  async close(): Promise<void> {
    this.monitoring?.close();
    await this.api?.close();
  }

  private async inherited(file: StateFile): Promise<Found> {
    const { options, keeper, supervised, log } = this;
    if (supervised !== undefined && (await supervised.isToWait())) {
      this.api = await openApi(options, this.transfers, log);
      return supervised.given;
    }
    return keeper && inheritedFrom(options, keeper, file, log);
  }

  private makeWill(file: StateFile): Will {
    const will = new Will(file, this.keeper, this.log);
    will.onAdopt = () => this.transfers.handOver();
    this.transfers.will = will;
    return will;
  }

  /** As the keeper understands it, where there is one. */
  private status(status: number): number {
    return this.keeper === undefined ? status : doneWith(status);
  }

  /** @throws StartError, FormatError: nothing is mounted then */
  private async begin(
    chosen: ReturnType<typeof chooseTransport>,
    pool: WorkerPool | undefined,
    given: Setting | undefined,
  ): Promise<Opened> {
    const { options, log } = this;
    if (options.user !== undefined) this.owner = findUser(options.user);
    // Before anything is logged: its events tell what went wrong.
    this.api = await openApi(options, this.transfers, log);
    log.info(`transport ${chosen.name}: ${chosen.reason}`);
    // First: an address that is taken is found before anything is mounted.
    this.monitoring = await this.startMonitoring();
    const setting = given ?? (await prepareSetting(options, log));
    if (this.owner !== undefined) mustReach(this.owner, setting.mountpoint);
    if (this.will !== undefined) removeDeadStates(options, setting.mountpoint);
    try {
      keepOutside(options, setting);
      return await this.serve(pool, setting, undefined);
    } catch (error) {
      this.will?.end();
      await setting.first?.pinned.prefetching.stop();
      throw error;
    }
  }

  /** Requests first: whatever else there is can wait, and must not keep them from being answered. */
  private async goOn(inherited: Inherited, pool: WorkerPool): Promise<Opened> {
    const { heritage, setting, balances } = inherited;
    this.will?.listenAfter(balances);
    const opened = await this.serve(pool, setting, inherited);
    const { session } = opened;
    void balances.then((known) => {
      if (known !== undefined) session.transfer?.settle(known);
      else if (heritage.lost === undefined) session.transfer?.resend();
    });
    return opened;
  }

  private async serve(
    pool: WorkerPool | undefined,
    setting: Setting,
    inherited: Inherited | undefined,
  ): Promise<Opened> {
    const { options, log, keeper, will } = this;
    const { first, mountpoint, held, maxOpen } = setting;
    const request: MountRequest = {
      ...{ first, held, maxOpen, mountpoint, log },
      place: new TrackedMountpoint(mountpoint),
      mayChange: options.apiSocket !== undefined,
      source: first?.pinned.source ?? "nydusd-ts",
      options: options.mountOptions,
      threads: options.threads,
      push: options.push,
      lowLatency: options.lowLatency,
      device: keeper?.device,
      keeper: keeper?.pid ?? process.pid,
      owner: this.owner,
      heritage: inherited?.heritage,
      record: (state) => will?.record(state),
    };
    const faults = this.will === undefined || keeper === undefined ? watchForFaults(log) : undefined;
    const isAskedToStop = handleSignals(log, () => this.transfers.hangUp());
    this.api?.mounting();
    if (inherited !== undefined) will?.arm();
    const session = pool === undefined ? await serveWithLibfuse(request) : await serveDirect(request, pool);
    will?.serving(session);
    if (inherited !== undefined) {
      sayInherited(inherited, keeper, log);
      await this.listenLate();
    }
    const served: Served = {
      ...{ session, mountpoint, held, place: request.place },
      isResumed: inherited !== undefined,
    };
    const lifecycle = new Lifecycle(served, this.observers(setting, inherited !== undefined), log);
    await lifecycle.ready();
    faults?.follow(lifecycle);
    return { session, lifecycle, setting, place: request.place, isAsked: isAskedToStop(lifecycle), faults };
  }

  /** In this order they are told. */
  private observers({ first }: Setting, isResumed: boolean): SessionObserver[] {
    const { options, log, keeper, will } = this;
    const { upper, pidFile } = options;
    const all: (SessionObserver | undefined)[] = [
      upper === undefined ? undefined : new Overlay(upper, options.mountOptions, log),
      first?.tracing && {
        ready: () => first.tracing?.begin(first.pinned.image),
        ended: () => first.tracing?.end(),
      },
      first && { ready: () => void first.pinned.prefetching.finish() },
      isResumed ? undefined : lostSession(log),
      this.monitoring,
      this.api,
      { ready: ({ session }) => this.transfers.serving(session) },
      pidFile === undefined
        ? undefined
        : new PidFile(pidFile, keeper?.pid ?? process.pid, isResumed && keeper !== undefined),
      { ended: ({ how }) => void (how === "handed over" || will?.end()) },
    ];
    return all.filter((each) => each !== undefined);
  }

  /** Opens what tells others of the session, unless that is open. */
  private async listenLate(): Promise<void> {
    const { options, log } = this;
    try {
      this.monitoring = await this.startMonitoring();
      this.api ??= await openApi(options, this.transfers, log);
      this.api?.mounting();
    } catch (error) {
      log.error(`${messageOf(error)}: files are served all the same`);
    }
  }

  /** Loaded only when it is asked for. */
  private async startMonitoring(): Promise<Monitoring | undefined> {
    const { monitoring } = this.options;
    if (monitoring === undefined) return undefined;
    const { Monitoring } = await import("./monitoring.ts");
    return Monitoring.start(monitoring, buildInfo(), () => this.will?.save(), this.log);
  }

  /** Whoever mounted it is not needed any more. @throws StartError: the session has ended then */
  private async becomeOwner(lifecycle: Lifecycle): Promise<void> {
    if (this.owner === undefined) return;
    try {
      becomeUser(this.owner);
    } catch (error) {
      await lifecycle.stop();
      await lifecycle.ended;
      throw error;
    }
  }

  private async end({ session, lifecycle, place, faults }: Opened): Promise<number> {
    const { log, options, keeper, will } = this;
    const end = await lifecycle.ended;
    log.info("served", countsOf(session.counts()));
    if (end.how === "handed over") {
      await will?.handedOver;
      log.info(`${options.mountpoint}: handed over`);
      return keeper === undefined ? 0 : handedOver;
    }
    if (end.how === "unmounted" || end.how === "stopped") {
      log.info(`${options.mountpoint}: ${end.how}`);
      return this.status(faults?.happened() === true ? 1 : 0);
    }
    log.error(`${options.mountpoint}: the session ended: ${end.how} ${end.message}`);
    // What is left is a mount that answers ENOTCONN to everybody; another's that took its place is not.
    await leaveMount(place, session.device).catch(() => {});
    return this.status(1);
  }
}

/** What mounts again what a session had whose FUSE device is lost. */
function lostSession(log: Logger): SessionObserver | undefined {
  const lost = afresh();
  if (lost === undefined) return undefined;
  return { ready: async (served) => (await import("./afresh.ts")).mountAfresh(lost, served, log) };
}

/** Loaded only when it is used: the addon costs start-up time and memory. */
async function serveWithLibfuse(request: MountRequest): Promise<Session> {
  const { serveNative } = await import("../session/native.ts");
  return serveNative(request);
}
