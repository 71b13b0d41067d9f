import { type Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import type { DaemonConfig } from "../src/daemon/config.ts";
import { DRIVERS, type DriveOptions } from "../src/daemon/drive.ts";
import { parseAddress } from "../src/daemon/metrics-address.ts";
import type { MonitoringOptions } from "../src/daemon/monitoring.ts";
import type { DaemonOptions } from "../src/daemon/options.ts";
import { placesIn } from "../src/daemon/places.ts";
import { LEVELS, type Level, LOG_FORMATS, type LogFormat } from "../src/log/log-line.ts";
import { FAILOVER_POLICIES, TRANSPORTS } from "../src/session/choose.ts";
import { ALL_FILE_RECORDS, type FileRecords, NO_FILE_RECORDS } from "../src/session/file-records.ts";
import { defaultStateDir } from "../src/handover/state-file.ts";
import { integer } from "./integer.ts";
import { addPrefetchOptions, type PrefetchFlags, prefetchOptions } from "./prefetch-options.ts";

/** What commander makes of the command line of a mount. */
export interface MountFlags extends PrefetchFlags {
  bootstrap?: string;
  mountpoint: string;
  virtualMountpoint: string;
  localfsDir?: string;
  blobDir: string[];
  blob: [string, string][];
  config?: string;
  transport: (typeof TRANSPORTS)[number];
  fuseThreads: number;
  push: "on" | "off";
  lowLatency: "on" | "off";
  lenient: boolean;
  force: boolean;
  options: string[];
  logLevel: Level;
  logFile?: string;
  logFormat: LogFormat;
  logRotationSize: number;
  pidFile?: string;
  user?: string;
  apisock?: string;
  id?: string;
  fileStats: boolean;
  rlimitNofile?: number;
  metricsAddress?: MonitoringOptions["address"];
  hungAfter?: number;
  daemonize: boolean;
  keeper: boolean;
  stateDir?: string;
  standby: boolean;
  failoverPolicy: DaemonOptions["failover"];
  supervisor?: string;
  upgrade: boolean;
  recover: boolean;
}

/** What `mount` has beyond that. */
export interface DriverFlags {
  driver: (typeof DRIVERS)[number];
  rw?: string;
}

/** Options of nydusd that need what is not there yet: said, not swallowed. */
const NOT_YET: readonly (readonly [flags: string, why: string])[] = [
  ["--writable", "an image is read-only; put an overlayfs on top"],
  ["-s, --shared-dir <dir>", "directories are not passed through; mount --bind does that"],
];

const THREADS = 2;
/** Seconds, as nydus-snapshotter has it. */
const HUNG_AFTER = 10;

/** Adds the options that every way to mount has. */
export function addMountOptions(command: Command): Command {
  command
    .option("-D, --localfs-dir <dir>", "directory that holds the tars under their blob ids")
    .option("--blob-dir <dir>", "the same, may be given several times", collect, [])
    .option("--blob <ID=PATH>", "file of one blob, by id or by its number from 1", collectBlob, [])
    .option("-C, --config <file>", "nydusd configuration, JSON v1 or v2, or TOML (localfs part)")
    .addOption(
      new Option("--transport <name>", "how to talk to the kernel").choices(TRANSPORTS).default("auto"),
    )
    .addOption(
      new Option("--thread-num, --fuse-threads <n>", "worker threads; more join while all wait for slow tars")
        .default(THREADS)
        .argParser(integer(1, 1024)),
    )
    .addOption(
      new Option("--push <when>", "hand small files to the page cache ahead of sequential readers")
        .choices(["on", "off"])
        .default("on"),
    )
    .addOption(
      new Option("--low-latency <when>", "keep idle CPUs from sleeping while requests come in numbers")
        .choices(["on", "off"])
        .default("on"),
    )
    .option("--lenient", "serve what is sound of a broken image; the rest answers EUCLEAN", false)
    .option("--force", "mount over a directory that is not empty or mounted on already", false)
    .option("-o, --options <list>", "mount options, e.g. suid,dev", collect, [])
    .option("--daemonize", "return when the mount can be used", false)
    .option("--pid-file <file>", "write the pid there once the mount can be used")
    .option(
      "--user <NAME|UID[:GID]>",
      "serve as this user, who needs to be able to read the tars; root mounts",
    )
    .option("-A, --apisock <path>", "serve nydusd's management API on a unix socket there")
    .option("-m, --virtual-mountpoint <path>", "where the image is to be seen within the mount", "/")
    .option("--id <id>", "what the management API calls this daemon")
    .option("--file-stats", "with --apisock: count what is asked about each file", false)
    .addOption(new Option("-l, --log-level <level>", "how much is logged").choices(LEVELS).default("info"))
    .option("-L, --log-file <file>", "append the log there instead of stderr")
    .addOption(
      new Option(
        "--log-format <name>",
        "text as nydusd writes it, or JSON lines; auto is text on a terminal only",
      )
        .choices(LOG_FORMATS)
        .default("auto"),
    )
    .addOption(
      new Option(
        "--log-rotation-size <MiB>",
        "begin a new log file at this size, keep 10 compressed; 0 is never",
      )
        .default(0)
        .argParser(integer(0, 1 << 20)),
    )
    .option("--no-keeper", "run as one process: when it dies, the mount is dead")
    .option(
      "--supervisor <socket>",
      "of nydus-snapshotter or another that keeps the session; wants --id, --apisock",
    )
    .option("--upgrade", "with --supervisor: mount nothing, wait to be told to take a session over", false)
    .option("--recover", "go on with a session whose keeper was killed, or mount what it had afresh", false)
    .option("--standby", "keep a process ready that goes on at once when the serving one dies", false)
    .addOption(
      new Option(
        "--failover-policy <policy>",
        "what becomes of requests that were being answered by a process that died: sent again, failed, or left",
      )
        .choices(FAILOVER_POLICIES)
        .default("resend"),
    )
    .option(
      "--state-dir <dir>",
      `where the next process finds what it must know (default: ${defaultStateDir()})`,
    )
    .option("--rlimit-nofile <n>", "files the process may have open, 0 leaves the limit", integer(0, 1 << 30))
    .option("--metrics-address <[HOST:]PORT>", "serve /metrics, /healthz and /readyz there", address)
    .option(
      "--hung-after <seconds>",
      `with --metrics-address: requests older than this are hung (default: ${HUNG_AFTER})`,
      integer(1, 86_400),
    );
  addPrefetchOptions(command);
  for (const [flags, why] of NOT_YET)
    command.addOption(
      new Option(flags).hideHelp().argParser(() => {
        throw new UsageError(`${/--[\w-]+/.exec(flags)?.[0]} is not supported: ${why}`);
      }),
    );
  return command;
}

/** Adds the options of a command that may choose how to mount. */
export function addDriverOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--driver <name>",
        "who shows the image: the kernel's EROFS, from files or loop devices, or a FUSE daemon; auto takes the " +
          "kernel where it takes the image",
      )
        .choices(DRIVERS)
        .default("auto"),
    )
    .option("--rw <upper>", "make it writable: an overlay keeps changes below this directory");
}

/** @throws as `daemonOptions` */
export async function driveOptions(flags: MountFlags & DriverFlags): Promise<DriveOptions> {
  const given: Record<string, boolean> = {
    "--pid-file": flags.pidFile !== undefined,
    "--user": flags.user !== undefined,
    "--apisock": flags.apisock !== undefined,
    "--id": flags.id !== undefined,
    "--virtual-mountpoint": flags.virtualMountpoint !== "/",
    "--file-stats": flags.fileStats,
    "--lenient": flags.lenient,
    "--transport": flags.transport !== "auto",
    "--fuse-threads": flags.fuseThreads !== THREADS,
    "--push off": flags.push === "off",
    "--low-latency off": flags.lowLatency === "off",
    "--metrics-address": flags.metricsAddress !== undefined,
    "--trace": flags.trace !== undefined,
    "--standby": flags.standby,
    "--supervisor": flags.supervisor !== undefined,
  };
  if (flags.rw !== undefined && flags.user !== undefined)
    throw new UsageError("--user cannot unmount an overlay: it cannot be used with --rw");
  return {
    ...(await daemonOptions(flags)),
    driver: flags.driver,
    upper: flags.rw,
    forDaemon: Object.keys(given).filter((option) => given[option]),
  };
}

/**
 * Whether a keeper is to hold the FUSE device, so that the mount goes on when the process that serves it dies: not when that
 * is not asked for, not for `--recover`, which becomes the keeper, nor where a supervisor keeps it, nor with
 * `--user`: that user could not signal a keeper of root's. launch.sh decides the same from the words alone.
 */
export const isKept = ({ keeper, recover, supervisor, user }: MountFlags): boolean =>
  keeper && !recover && supervisor === undefined && user === undefined;

/**
 * @throws UsageError when options contradict each other; StartError when the configuration cannot be used
 */
export async function daemonOptions(flags: MountFlags): Promise<DaemonOptions> {
  if (flags.config !== undefined && flags.localfsDir !== undefined)
    throw new UsageError("--config and --localfs-dir cannot be used together");
  if (flags.bootstrap === undefined && flags.apisock === undefined)
    throw new UsageError("nothing to mount: want --bootstrap, or --apisock to be told of images later");
  if (flags.bootstrap === undefined) needBootstrap(flags);
  if (flags.supervisor !== undefined && (flags.id === undefined || flags.apisock === undefined))
    throw new UsageError("--supervisor has no meaning without --id and --apisock");
  if (flags.upgrade && flags.supervisor === undefined)
    throw new UsageError("--upgrade has no meaning without --supervisor");
  if (flags.recover) {
    const other = { "--no-keeper": !flags.keeper, "--user": flags.user, "--supervisor": flags.supervisor };
    const option = Object.entries(other).find(([, value]) => value)?.[0];
    if (option !== undefined)
      throw new UsageError(`--recover starts a keeper: it cannot be used with ${option}`);
  }
  if (flags.user !== undefined && flags.transport === "fuse-native")
    throw new UsageError("--user needs --transport direct");
  const { metricsAddress, hungAfter = HUNG_AFTER } = flags;
  if (metricsAddress === undefined && flags.hungAfter !== undefined)
    throw new UsageError("--hung-after has no meaning without --metrics-address");
  if (flags.fileStats && flags.apisock === undefined)
    throw new UsageError("--file-stats has no meaning without --apisock");
  const config = flags.config === undefined ? undefined : await loadConfig(flags.config);
  const dirs = [...flags.blobDir, ...(flags.localfsDir === undefined ? [] : [flags.localfsDir])];
  const given = { dirs, files: new Map(flags.blob) };
  return {
    bootstrap: flags.bootstrap,
    mountpoint: flags.mountpoint,
    virtualMountpoint: flags.virtualMountpoint,
    blobDirs: [...dirs, ...(config?.blobDirs ?? [])],
    places: flags.bootstrap === undefined ? given : placesIn(flags.bootstrap, config, given),
    transport: flags.transport,
    threads: flags.fuseThreads,
    push: flags.push === "on",
    lowLatency: flags.lowLatency === "on",
    lenient: flags.lenient,
    force: flags.force,
    mountOptions: flags.options,
    logLevel: flags.logLevel,
    logFile: flags.logFile,
    logFormat: flags.logFormat,
    logRotationSize: flags.logRotationSize || undefined,
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
    warnings: [...(config?.warnings ?? []), ...withoutEffect(flags)],
  };
}

/** nydus-snapshotter asks for rotation whether or not it asks for a file. */
const withoutEffect = ({ logFile, logRotationSize }: MountFlags): string[] =>
  logRotationSize > 0 && logFile === undefined
    ? ["--log-rotation-size has no effect without --log-file"]
    : [];

/** @throws UsageError for what is about an image that is not there from the start */
function needBootstrap({ trace, prefetchFiles, blob, virtualMountpoint }: MountFlags): void {
  const given: Record<string, boolean> = {
    "--trace": trace !== undefined,
    "--prefetch-files": prefetchFiles !== undefined,
    "--blob": blob.length > 0,
    "--virtual-mountpoint": virtualMountpoint !== "/",
  };
  const option = Object.keys(given).find((each) => given[each]);
  if (option !== undefined) throw new UsageError(`${option} has no meaning without --bootstrap`);
}

/** Nothing is recorded for nobody: only the API tells it. */
function fileRecords({ apisock, fileStats }: MountFlags, config: DaemonConfig | undefined): FileRecords {
  if (fileStats) return ALL_FILE_RECORDS;
  return (apisock === undefined ? undefined : config?.fileRecords) ?? NO_FILE_RECORDS;
}

/** The schema library costs 90 ms and 13 MB (measured): only for those who have a file. */
async function loadConfig(path: string): Promise<DaemonConfig> {
  const { readConfig } = await import("../src/daemon/config.ts");
  return readConfig(path);
}

const collect = (value: string, before: string[]): string[] => [...before, value];

function collectBlob(value: string, before: [string, string][]): [string, string][] {
  const cut = value.indexOf("=");
  if (cut < 1 || cut === value.length - 1) throw new InvalidArgumentError("want ID=PATH.");
  return [...before, [value.slice(0, cut), value.slice(cut + 1)]];
}

function address(value: string): MonitoringOptions["address"] {
  const parsed = parseAddress(value);
  if (parsed === undefined) throw new InvalidArgumentError("want [HOST:]PORT.");
  return parsed;
}
