import { UsageError } from "../bytes/errors.ts";
import type { LogTarget } from "../log/log.ts";
import type { Level, LogFormat } from "../log/log-line.ts";
import type { TRANSPORTS } from "../session/choose.ts";
import { ALL_FILE_RECORDS, type FileRecords, NO_FILE_RECORDS } from "../session/file-records.ts";
import type { PrefetchOptions } from "../session/prefetching.ts";
import type { ConfigPrefetch, DaemonConfig } from "./config.ts";
import type { Driver } from "../mounts/drivers.ts";
import type { BackendOptions } from "./mount-backend.ts";
import type { MonitoringOptions } from "./monitoring.ts";
import type { DaemonOptions } from "./options.ts";
import { IN_BACKGROUND } from "./caller.ts";
import { descriptorOf } from "../config-file/own-descriptor.ts";
import { isSuccessor } from "../handover/keeper.ts";
import { placesIn } from "./places.ts";
import { hashWords } from "./verity-root.ts";

/** What a user says of a mount, as words and numbers. */
export interface MountFlags {
  readonly bootstrap?: string;
  readonly mountpoint: string;
  /** What is mounted, as it was named, if not by a bootstrap. */
  readonly name?: string;
  readonly virtualMountpoint: string;
  readonly localfsDir?: string;
  readonly blobDir: readonly string[];
  readonly blob: readonly [string, string][];
  readonly config?: string;
  readonly transport: (typeof TRANSPORTS)[number];
  readonly fuseThreads: number;
  readonly push: "on" | "off";
  readonly lowLatency: "on" | "off";
  readonly lenient: boolean;
  readonly strict: boolean;
  readonly verity?: string;
  readonly verityKey?: string;
  readonly verityTree?: string;
  readonly force: boolean;
  readonly options: readonly string[];
  readonly logLevel: Level;
  readonly logFile?: string;
  readonly logFormat: LogFormat;
  readonly logRotationSize: number;
  readonly daemonize: boolean;
  readonly foreground: boolean;
  readonly keeper: boolean;
  readonly pidFile?: string;
  readonly user?: string;
  readonly apisock?: string;
  readonly id?: string;
  readonly fileStats: boolean;
  readonly rlimitNofile?: number;
  readonly metricsAddress?: MonitoringOptions["address"];
  readonly hungAfter?: number;
  readonly stateDir?: string;
  readonly standby: boolean;
  readonly failoverPolicy: DaemonOptions["failover"];
  readonly supervisor?: string;
  readonly upgrade: boolean;
  readonly recover: boolean;
  readonly prefetchFiles?: string;
  readonly prefetch: "on" | "off";
  readonly prefetchRate?: number;
  readonly prefetchMemory?: number;
  readonly trace?: string;
}

/** Of a mount that the kernel may show by itself. */
export interface BackendFlags extends MountFlags {
  readonly driver: Driver;
  readonly rw?: string;
}

/** In the environment of a process in the background: the path of its log, or that stderr leads to a collector. */
export const BACKGROUND_LOG = "NYDUSD_TS_LOG";
export const TO_COLLECTOR = "<";
/** MiB of a log file that nobody has chosen. */
const BACKGROUND_LOG_SIZE = 10;

/** Seconds, as nydus-snapshotter has it. */
export const HUNG_AFTER = 10;
const MIB = 1 << 20;

/**
 * Whether a keeper is to hold the FUSE device, so that the mount goes on when the process that serves it dies: not when that
 * is not asked for, not for `--recover`, which becomes the keeper, nor where a supervisor keeps it, nor with
 * `--user`: that user could not signal a keeper of root's. launch.sh decides the same from the words alone, where a value
 * that is written like one of these options counts as the option.
 */
export const isKept = ({ keeper, recover, supervisor, user }: MountFlags): boolean =>
  keeper && !recover && supervisor === undefined && user === undefined;

/**
 * @param forDaemon options that were given and steer a process that serves
 * @throws as `daemonOptions`
 */
export const backendOptions = async (
  flags: BackendFlags,
  warnings: readonly string[],
  forDaemon: readonly string[],
): Promise<BackendOptions> => ({
  ...(await daemonOptions(flags, warnings)),
  driver: flags.driver,
  upper: flags.rw,
  forDaemon,
});

/**
 * @param warnings what is wrong with the flags besides
 * @throws UsageError when there is nothing to mount; OperationalError when the configuration cannot be used
 */
export async function daemonOptions(flags: MountFlags, warnings: readonly string[]): Promise<DaemonOptions> {
  if (flags.bootstrap === undefined && flags.apisock === undefined)
    throw new UsageError("nothing to mount: want --bootstrap, or --apisock to be told of images later");
  if (flags.strict && flags.lenient) throw new UsageError("--strict and --lenient exclude each other");
  // An unset variable of a script: it would mean the working directory.
  if (flags.mountpoint === "") throw new UsageError("the mountpoint is an empty string");
  const { metricsAddress, hungAfter = HUNG_AFTER } = flags;
  // What goes on with a session finds what was read in its state, and what serves for another process in the order.
  const isLater = isSuccessor || process.env[IN_BACKGROUND] !== undefined;
  const config =
    flags.config === undefined || isElsewhere(flags.config) ? undefined : await loadConfig(flags.config);
  const dirs = [...flags.blobDir, ...(flags.localfsDir === undefined ? [] : [flags.localfsDir])];
  const given = { dirs, files: new Map(flags.blob) };
  return {
    bootstrap: flags.bootstrap,
    mountpoint: flags.mountpoint,
    name: flags.name,
    virtualMountpoint: flags.virtualMountpoint,
    blobDirs: [...dirs, ...(config?.blobDirs ?? [])],
    places: flags.bootstrap === undefined ? given : placesIn(flags.bootstrap, config, given),
    transport: flags.transport,
    threads: flags.fuseThreads,
    push: flags.push === "on",
    lowLatency: flags.lowLatency === "on",
    lenient: flags.lenient,
    strict: flags.strict,
    verity: isLater ? undefined : hashWords(flags),
    force: flags.force,
    mountOptions: flags.options,
    logLevel: flags.logLevel,
    ...logTarget(flags),
    pidFile: flags.pidFile,
    user: flags.user,
    apiSocket: flags.apisock,
    id: flags.id,
    fileRecords: fileRecords(flags, config),
    openFiles: flags.rlimitNofile || undefined,
    monitoring: metricsAddress && { address: metricsAddress, hungAfter },
    prefetch: prefetchOptions(flags, config?.prefetch),
    trace: flags.trace,
    stateDir: flags.stateDir,
    standby: flags.standby,
    failover: flags.failoverPolicy,
    supervisor: flags.supervisor,
    upgrade: flags.upgrade,
    warnings: [...(config?.warnings ?? []), ...warnings],
  };
}

/** What was asked for; else, in the background, what was found. */
export function logTarget(
  { logFile, logFormat, logRotationSize }: MountFlags,
  found = process.env[BACKGROUND_LOG],
): LogTarget {
  const isFound = logFile === undefined && found !== undefined && found !== TO_COLLECTOR;
  return {
    logFile: isFound ? found : logFile,
    logFormat,
    logRotationSize: logRotationSize || (isFound ? BACKGROUND_LOG_SIZE : undefined),
    isCollected: found === TO_COLLECTOR,
  };
}

/** Only the API tells what is recorded: without it nothing is. */
function fileRecords({ apisock, fileStats }: MountFlags, config: DaemonConfig | undefined): FileRecords {
  if (apisock === undefined) return NO_FILE_RECORDS;
  return fileStats ? ALL_FILE_RECORDS : (config?.fileRecords ?? NO_FILE_RECORDS);
}

function prefetchOptions(
  { prefetch, prefetchFiles, prefetchRate, prefetchMemory }: MountFlags,
  config: ConfigPrefetch | undefined,
): PrefetchOptions | undefined {
  if (prefetch === "off") return undefined;
  // A list on the command line is meant, whatever the configuration says of everything else.
  if (config?.enable === false && prefetchFiles === undefined) return undefined;
  return {
    list: prefetchFiles,
    isAll: config?.enable === true && config.isAll,
    rate: prefetchRate === undefined ? (config?.rate ?? 0) : prefetchRate * MIB,
    memory: prefetchMemory && prefetchMemory * MIB,
  };
}

/**
 * A descriptor of the process that was called: this one gets what was read of it with the order, or goes on with a session, whose
 * images are in the state.
 */
const isElsewhere = (path: string): boolean =>
  (isSuccessor || process.env[IN_BACKGROUND] !== undefined) && descriptorOf(path) !== undefined;

/** What was read, by path: a pipe can be read once, and what was looked at before layers were read is what is used. */
const readOnce = new Map<string, DaemonConfig>();

/** The schema library costs 90 ms and 13 MB (measured): only when there is a file. */
async function loadConfig(path: string): Promise<DaemonConfig> {
  const known = readOnce.get(path);
  if (known !== undefined) return known;
  const { readConfig } = await import("./config.ts");
  const config = readConfig(path);
  readOnce.set(path, config);
  return config;
}
