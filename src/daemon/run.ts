import { setFlagsFromString } from "node:v8";
import { type Log, type Logger, openLog } from "../log/log.ts";
import { mountAt } from "../mounts/table.ts";
import { detach } from "../mounts/umount.ts";
import { chooseTransport } from "../session/choose.ts";
import { Crew } from "../session/crew.ts";
import { serveDirect } from "../session/direct.ts";
import type { MountRequest, Session } from "../session/transport.ts";
import { type Api, openApi } from "./api.ts";
import { countsOf } from "./counts.ts";
import type { Monitoring } from "./monitoring.ts";
import type { DaemonOptions } from "./options.ts";
import { withOverlay } from "./overlay.ts";
import { writePidFile } from "./pid-file.ts";
import { setOpenFiles, spareBudget } from "./rlimit.ts";
import { factsOf, prepareSetting, type Setting } from "./setting.ts";
import { handleSignals } from "./signals.ts";
import { buildInfo } from "./version.ts";

/**
 * Mounts an image and serves it until it is unmounted or a signal ends it.
 *
 * @param onReady told once the first request can be answered, with the facts for the ready line
 * @returns exit status: 0 after a clean end, 1 when the session broke
 * @throws StartError, FormatError: nothing is mounted then
 */
export const runDaemon = (options: DaemonOptions, onReady: (facts: string) => void): Promise<number> =>
  serveImage(options, openDaemonLog(options), onReady);

/** What comes before anything else, whichever driver it will be. */
export function openDaemonLog(options: DaemonOptions): Log {
  const log = openLog(options.logLevel, options);
  for (const warning of options.warnings) log.warn(warning);
  if (options.openFiles !== undefined) setOpenFiles(options.openFiles);
  return log;
}

/**
 * What `runDaemon` does, once there is a log.
 *
 * @param setting what another driver has opened already
 */
export async function serveImage(
  options: DaemonOptions,
  log: Log,
  onReady: (facts: string) => void,
  setting?: Setting,
): Promise<number> {
  const api = await openApi(options, log);
  try {
    return await serve(options, log, onReady, setting, api);
  } finally {
    await api?.close();
  }
}

async function serve(
  options: DaemonOptions,
  log: Log,
  onReady: (facts: string) => void,
  setting: Setting | undefined,
  api: Api | undefined,
): Promise<number> {
  // A young generation that never grows: 3.5 MB less (measured), and nothing here allocates fast.
  setFlagsFromString("--semi-space-growth-factor=1");
  const { name, reason } = chooseTransport(options.transport, process.geteuid?.() ?? 0);
  log.info(`transport ${name}: ${reason}`);
  const crew = name === "direct" ? new Crew(options.threads, spareBudget()) : undefined;
  let opened: Opened;
  try {
    opened = await open(options, log, crew, setting, api);
  } catch (error) {
    await crew?.close();
    throw error;
  }
  const { session, mountpoint, device, facts, isAsked } = opened;
  let removePidFile = () => {};
  if (!isAsked) {
    try {
      if (options.pidFile !== undefined) removePidFile = writePidFile(options.pidFile);
    } catch (error) {
      await session.stop();
      await session.ended;
      throw error;
    }
    onReady(`${facts} ms=${Math.round(performance.now())}`);
  }

  const end = await session.ended;
  api?.stopped();
  removePidFile();
  log.info("served", countsOf(session.counts()));
  if (end.how === "unmounted" || end.how === "stopped") {
    log.info(`${options.mountpoint}: ${end.how}`);
    return 0;
  }
  log.error(`${options.mountpoint}: the session ended: ${end.how} ${end.message}`);
  // What is left is a mount that answers ENOTCONN to everybody; another's that took its place is not.
  if (mountAt(mountpoint)?.device === device) await detach(mountpoint).catch(() => {});
  return 1;
}

interface Opened {
  readonly session: Session;
  /** Canonical. */
  readonly mountpoint: string;
  /** Of the image's mount. */
  readonly device: string | undefined;
  readonly facts: string;
  /** A signal has come already, and the session is about to end. */
  readonly isAsked: boolean;
}

async function open(
  options: DaemonOptions,
  log: Logger,
  crew: Crew | undefined,
  setting: Setting | undefined,
  api: Api | undefined,
): Promise<Opened> {
  // First: an address that is taken is found before anything is mounted.
  const monitoring = await startMonitoring(options, log);
  const whole = setting ?? (await prepareSetting(options, log));
  const { mountpoint, held, first } = whole;
  const request: MountRequest = {
    first,
    mayChange: api !== undefined,
    held,
    maxOpen: whole.maxOpen,
    mountpoint,
    source: first?.taken.source ?? "nydusd-ts",
    options: options.mountOptions,
    threads: options.threads,
    push: options.push,
    lowLatency: options.lowLatency,
    log,
  };
  try {
    return await mount(options, request, whole, { crew, api, monitoring });
  } catch (error) {
    await first?.taken.prefetching.stop();
    throw error;
  }
}

interface Helpers {
  readonly crew: Crew | undefined;
  readonly api: Api | undefined;
  readonly monitoring: Monitoring | undefined;
}

async function mount(
  { upper }: DaemonOptions,
  request: MountRequest,
  whole: Setting,
  { crew, api, monitoring }: Helpers,
): Promise<Opened> {
  const { first, mountpoint } = whole;
  const isAskedToStop = handleSignals(request.log);
  api?.ready();
  const served = crew === undefined ? await serveWithLibfuse(request) : await serveDirect(request, crew);
  const device = mountAt(mountpoint)?.device;
  const covered = upper === undefined ? served : await withOverlay(served, request, upper, device);
  const ended = first?.tracing?.follow(covered.ended, first.taken.image) ?? covered.ended;
  const traced = { ...covered, ended };
  first?.taken.prefetching.finish();
  const session = monitoring?.follow(traced, whole) ?? traced;
  api?.running(session, whole, crew !== undefined);
  const facts = `${factsOf(whole)} ${session.facts}`;
  return { session, mountpoint, device, isAsked: isAskedToStop(session), facts };
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
