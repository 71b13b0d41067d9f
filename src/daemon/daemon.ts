import { setFlagsFromString } from "node:v8";
import { messageOf, StartError } from "../bytes/errors.ts";
import type { Owner } from "../fuse/device.ts";
import type { Log, Logger } from "../log/log.ts";
import { leaveMount } from "../mounts/leave.ts";
import { type Located, Place } from "../mounts/place.ts";
import { readMounts } from "../mounts/table.ts";
import { chooseTransport } from "../session/choose.ts";
import { Crew } from "../session/crew.ts";
import { serveDirect } from "../session/direct.ts";
import type { MountRequest, Session } from "../session/transport.ts";
import { doneWith, handedOver, type Keeper } from "../takeover/keeper.ts";
import { defaultStateDir, removeDead, StateFile } from "../takeover/state-file.ts";
import { type Api, openApi } from "./api.ts";
import { countsOf } from "./counts.ts";
import { type Faults, watchForFaults } from "./faults.ts";
import { Heir, type Inherited } from "./heritage.ts";
import type { Monitoring } from "./monitoring.ts";
import type { DaemonOptions } from "./options.ts";
import type { Orders } from "./orders.ts";
import { withOverlay } from "./overlay.ts";
import { keepOutside } from "./own-mount.ts";
import { removePidFile, writePidFile } from "./pid-file.ts";
import { setOpenFiles, spareBudget } from "./rlimit.ts";
import { factsOf, prepareSetting, type Setting } from "./setting.ts";
import { handleSignals } from "./signals.ts";
import { Supervised } from "./supervised.ts";
import { becomeUser, findUser, mustReach } from "./user.ts";
import { buildInfo } from "./version.ts";
import { Will } from "./will.ts";

/** Of the process that outlives those that serve. */
export const stateFile = ({ stateDir }: DaemonOptions, keeper: Keeper | undefined): StateFile =>
  keeper?.state !== undefined
    ? new StateFile(keeper.state)
    : StateFile.in(stateDir ?? defaultStateDir(), keeper?.pid ?? process.pid);

/** Another's may be recovered as long as its mount is there; what was at this mountpoint is over. */
function removeDeadStates({ stateDir = defaultStateDir() }: DaemonOptions, here: string): void {
  if (process.env.NYDUSD_TS_AFRESH !== undefined) return;
  const mounted = new Set(readMounts().map(({ mountpoint }) => mountpoint));
  removeDead(stateDir, (mountpoint) => mountpoint !== here && mounted.has(mountpoint));
}

/** A session, once requests are answered. */
interface Opened {
  readonly session: Session;
  readonly setting: Setting;
  readonly place: Located;
  /** A signal has come already, and the session is about to end. */
  readonly isAsked: boolean;
  /** Where no keeper starts another process after an exception. */
  readonly faults: Faults | undefined;
}

/** One process of a daemon: it begins a session, or goes on with one. */
export class Daemon implements Orders {
  private readonly options: DaemonOptions;
  private readonly log: Log;
  private readonly keeper: Keeper | undefined;
  private api: Api | undefined;
  private monitoring: Monitoring | undefined;
  private will: Will | undefined;
  private session: Session | undefined;
  /** Whom this process becomes once it has mounted. */
  private owner: Owner | undefined;
  private readonly supervised: Supervised | undefined;
  private onServing: () => void = () => {};
  private readonly isServing = new Promise<void>((resolve) => {
    this.onServing = resolve;
  });

  constructor(options: DaemonOptions, log: Log, keeper: Keeper | undefined) {
    this.options = options;
    this.log = log;
    this.keeper = keeper;
    if (options.supervisor !== undefined) this.supervised = new Supervised(options.supervisor, options, log);
  }

  /** @returns exit status, as the keeper understands it where there is one */
  async run(onReady: (facts: string) => void, setting: Setting | undefined): Promise<number> {
    const { options, log, keeper } = this;
    // A young generation that never grows: 3.5 MB less (measured), and nothing here allocates fast.
    setFlagsFromString("--semi-space-growth-factor=1");
    const { name, reason } = chooseTransport(options.transport, process.geteuid?.() ?? 0);
    log.info(`transport ${name}: ${reason}`);
    const crew = name === "direct" ? new Crew(options.threads, spareBudget()) : undefined;
    let opened: Opened;
    try {
      // Who is root no more can neither write a state where root keeps it nor talk to a keeper that is.
      const file = options.user === undefined && crew !== undefined ? stateFile(options, keeper) : undefined;
      const inherited = file && (await this.inherited(file));
      if (inherited === "nothing") return await this.nothingLeft(crew);
      this.will = file && new Will(file, keeper, log);
      if (this.will !== undefined) this.will.onAdopt = () => this.handOver();
      opened =
        inherited === undefined ? await this.begin(crew, setting) : await this.goOn(inherited, crew as Crew);
    } catch (error) {
      await crew?.close();
      throw error;
    }
    const { session, isAsked } = opened;
    await this.will?.await(options.standby);
    if (!isAsked) {
      await this.settle(session);
      onReady(`${factsOf(opened.setting)} ${session.facts} ms=${Math.round(performance.now())}`);
    }
    return this.end(opened);
  }

  async close(): Promise<void> {
    this.monitoring?.close();
    await this.api?.close();
  }

  /**
   * What another process leaves to this one.
   *
   * @returns undefined for the first; "nothing" when the session is over
   * @throws StartError when none of its images can be had
   */
  private async inherited(file: StateFile): Promise<Inherited | "nothing" | undefined> {
    const { threads, failover, openFiles } = this.options;
    if (this.supervised !== undefined && (await this.supervised.isToWait())) {
      this.api = await openApi(this.options, this, this.log);
      return this.supervised.given;
    }
    const { role = "first", device = -1, isToAdopt = false } = this.keeper ?? {};
    if (role === "first") return undefined;
    if (openFiles !== undefined) setOpenFiles(openFiles);
    const heir = new Heir(threads, device, (serial) => file.readChecked(serial), this.log);
    const state = role === "after" ? file.read() : undefined;
    const inherited =
      role === "next" ? await heir.behind(file, failover, isToAdopt) : state && heir.after(state, failover);
    return inherited ?? "nothing";
  }

  /** The process before this one has ended in order, or died before it had mounted anything. */
  private async nothingLeft(crew: Crew | undefined): Promise<number> {
    await crew?.close();
    const isLost = this.keeper?.role === "after";
    if (isLost)
      this.log.error(
        `${this.options.mountpoint}: the process before this one died before it had mounted anything`,
      );
    return this.status(isLost ? 1 : 0);
  }

  /** As the keeper understands it, where there is one. */
  private status(status: number): number {
    return this.keeper === undefined ? status : doneWith(status);
  }

  /** @throws StartError, FormatError: nothing is mounted then */
  private async begin(crew: Crew | undefined, given: Setting | undefined): Promise<Opened> {
    const { options, log } = this;
    if (options.user !== undefined) this.owner = findUser(options.user);
    this.api = await openApi(options, this, log);
    // First: an address that is taken is found before anything is mounted.
    this.monitoring = await startMonitoring(options, log);
    const setting = given ?? (await prepareSetting(options, log));
    if (this.owner !== undefined) mustReach(this.owner, setting.mountpoint);
    if (this.will !== undefined) removeDeadStates(options, setting.mountpoint);
    try {
      keepOutside(options, setting);
      return await this.serve(crew, setting, undefined);
    } catch (error) {
      await setting.first?.taken.prefetching.stop();
      throw error;
    }
  }

  /** Requests first: whatever else there is can wait, and must not keep them from being answered. */
  private async goOn(inherited: Inherited, crew: Crew): Promise<Opened> {
    const { heritage, setting, balances } = inherited;
    const opened = await this.serve(crew, setting, inherited);
    const { session } = opened;
    balances.then((known) => {
      if (known !== undefined) session.transfer?.settle(known);
      else if (heritage.lost === undefined) session.transfer?.resend();
    });
    return opened;
  }

  private sayInherited({ isCrash, at }: Inherited, mountpoint: string): void {
    const { role, crashes = 0, last = 0 } = this.keeper ?? {};
    const ms = `went on after ${Math.round(performance.now() - at)} ms`;
    if (!isCrash) this.log.info(`${mountpoint}: handed over: ${ms}`);
    else {
      const how = role === "after" ? ` with status ${last}, ${crashes} so far` : "";
      this.log.error(`${mountpoint}: the process before this one died${how}: ${ms}`);
    }
  }

  private async serve(
    crew: Crew | undefined,
    setting: Setting,
    inherited: Inherited | undefined,
  ): Promise<Opened> {
    const { options, log, keeper, will } = this;
    const { first, mountpoint, held, maxOpen } = setting;
    const request: MountRequest = {
      ...{ first, held, maxOpen, mountpoint, log },
      place: new Place(mountpoint),
      mayChange: options.apiSocket !== undefined,
      source: first?.taken.source ?? "nydusd-ts",
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
    const isAskedToStop = handleSignals(log, () => this.hangUp());
    this.api?.ready();
    if (inherited !== undefined) will?.arm();
    const served = crew === undefined ? await serveWithLibfuse(request) : await serveDirect(request, crew);
    will?.serving(served);
    if (inherited !== undefined) this.sayInherited(inherited, mountpoint);
    const { upper } = options;
    const covered = upper === undefined ? served : await withOverlay(served, request, upper);
    const ended = first?.tracing?.follow(covered.ended, first.taken.image) ?? covered.ended;
    first?.taken.prefetching.finish();
    const afresh = process.env.NYDUSD_TS_AFRESH;
    if (inherited === undefined && afresh !== undefined)
      await (await import("./afresh.ts")).mountAfresh(afresh, served, setting, log);
    const session = await this.tellOf({ ...covered, ended }, setting, inherited);
    faults?.follow(session);
    return { session, setting, place: request.place, isAsked: isAskedToStop(session), faults };
  }

  /** Opens what tells others of the session, unless that is open. */
  private async tellOf(
    served: Session,
    setting: Setting,
    inherited: Inherited | undefined,
  ): Promise<Session> {
    const { options, log, will } = this;
    if (inherited !== undefined) {
      try {
        this.monitoring = await startMonitoring(options, log);
        this.api ??= await openApi(options, this, log);
        this.api?.ready();
      } catch (error) {
        log.error(`${messageOf(error)}: files are served all the same`);
      }
    }
    const session = this.monitoring?.follow(served, setting, () => will?.save()) ?? served;
    this.api?.running(session, setting, served.transfer !== undefined);
    this.session = session;
    this.onServing();
    return session;
  }

  /** What is left to be done as the one who mounted. */
  private async settle(session: Session): Promise<void> {
    const { pidFile } = this.options;
    const isFirst = this.keeper === undefined || this.keeper.role === "first";
    try {
      if (pidFile !== undefined && isFirst) writePidFile(pidFile, this.keeper?.pid ?? process.pid);
      if (this.owner !== undefined) becomeUser(this.owner);
    } catch (error) {
      if (pidFile !== undefined) removePidFile(pidFile);
      await session.stop();
      await session.ended;
      throw error;
    }
  }

  async sendDevice(): Promise<void> {
    const transfer = this.session?.transfer;
    if (this.supervised === undefined || transfer === undefined)
      throw new StartError("there is no --supervisor, or the transport is not direct");
    await this.supervised.send(transfer);
  }

  async takeOver(): Promise<void> {
    if (this.supervised === undefined) throw new StartError("there is no --supervisor");
    await this.supervised.take();
  }

  async start(): Promise<void> {
    this.supervised?.start();
    await this.isServing;
  }

  exit(): void {
    if (this.supervised?.isSent !== true) process.kill(process.pid, "SIGTERM");
    else this.will?.handOver();
  }

  /** @returns what lets the new version serve, once whoever asked for it has been answered */
  readonly upgrade = async (): Promise<() => void> => {
    const { will, log } = this;
    if (will === undefined) throw new Error("--transport direct only");
    const version = await will.prepareUpgrade();
    log.info(`version ${version} is ready: handing over`);
    return () => this.handOver();
  };

  private handOver(): void {
    // The other one will listen where this one does.
    this.close()
      .catch((error: unknown) => this.log.error(messageOf(error)))
      .then(() => this.will?.handOver());
  }

  private hangUp(): void {
    this.upgrade()
      .then((handOver) => handOver())
      .catch((error: unknown) => this.log.error(`SIGHUP: no upgrade: ${messageOf(error)}`));
  }

  private async end({ session, place, faults }: Opened): Promise<number> {
    const { log, options, keeper, will } = this;
    const end = await session.ended;
    this.api?.stopped();
    log.info("served", countsOf(session.counts()));
    if (end.how === "handed over") {
      await will?.handedOver;
      log.info(`${options.mountpoint}: handed over`);
      return keeper === undefined ? 0 : handedOver;
    }
    will?.end();
    if (options.pidFile !== undefined) removePidFile(options.pidFile);
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

/** Loaded only when it is asked for. */
async function startMonitoring({ monitoring }: DaemonOptions, log: Logger): Promise<Monitoring | undefined> {
  if (monitoring === undefined) return undefined;
  return (await import("./monitoring.ts")).Monitoring.start(monitoring, buildInfo(), log);
}

/** Loaded only when it is used: the addon costs start-up time and memory. */
async function serveWithLibfuse(request: MountRequest): Promise<Session> {
  const { serveNative } = await import("../session/native.ts");
  return serveNative(request);
}
