import { messageOf, UsageError } from "../src/bytes/errors.ts";
import { serveInBackground } from "../src/daemon/background.ts";
import type { Caller, Order } from "../src/daemon/caller.ts";
import { openDaemonLog } from "../src/daemon/daemon-log.ts";
import { commonName, refuseDescriptors, withCommonNames } from "../src/daemon/descriptors.ts";
import { mustBeMountable } from "../src/daemon/early-checks.ts";
import { formatFacts, type ReadyFacts } from "../src/daemon/facts.ts";
import { preparedForHangup } from "../src/daemon/hangup.ts";
import { keepItself } from "../src/daemon/keeper-command.ts";
import {
  type BackendOptions,
  inBackground,
  inForeground,
  mountImage,
  mustHonour,
} from "../src/daemon/mount-backend.ts";
import type { DaemonOptions } from "../src/daemon/options.ts";
import {
  type BackendFlags,
  backendOptions,
  daemonOptions,
  isKept,
  logTarget,
  type MountFlags,
} from "../src/daemon/options-from-flags.ts";
import { refuseOwnFiles } from "../src/daemon/self-mount-guard.ts";
import { isSuccessor } from "../src/handover/keeper.ts";
import type { Log } from "../src/log/log.ts";
import { transportFor } from "../src/session/choose.ts";
import type { PreparedImage } from "../src/source/prepare.ts";
import { caller } from "./caller.ts";
import { checkGiven, givenForDaemon } from "./check-given.ts";
import type { Given } from "./given.ts";
import { warn } from "./help.ts";
import { say } from "./say.ts";
import { type ImageSource, prepareSources } from "./sources.ts";

export type SourceFlags = BackendFlags & ImageSource;

/** Set before a command in the foreground says that it is ready. */
let ignoreHangup = (): void => {};

/** @throws UsageError for options that contradict each other or have no effect */
export async function fuseMount(flags: MountFlags, given: Given): Promise<void> {
  if (caller === undefined) await keepItself(flags);
  const warnings = check(given, flags);
  if (flags.upgrade && given.has("--bootstrap"))
    warnings.push("--bootstrap has no effect with --upgrade: what is mounted comes from the supervisor");
  const asked = await daemonOptions(flags, warnings);
  const options = flags.daemonize ? withCommonNames(asked) : asked;
  if (isSuccessor) return serve(options);
  if (caller === undefined && !flags.recover) refuseOwnFiles(options);
  if (flags.daemonize && caller === undefined)
    return start(flags, options, openDaemonLog(options), async () => ({ options }));
  if (flags.recover) return recoverSession(options);
  return caller === undefined ? serve(options) : serveFor(caller, flags);
}

/** @throws UsageError as `fuseMount`, and without a directory to mount on */
export async function mountSources(
  paths: readonly string[],
  flags: SourceFlags,
  given: Given,
): Promise<void> {
  if (flags.foreground && caller === undefined) await keepItself(flags);
  const [first] = paths;
  if (first === undefined)
    throw new UsageError("missing argument: want a source and the directory to mount it on");
  const warnings = check(new Map([...given, ["--bootstrap", first]]), flags);
  mustHonour(flags.driver, givenForDaemon(given), flags.options);
  if (flags.upgrade)
    throw new UsageError(
      "--upgrade takes what is mounted from the supervisor: nydusd-ts --upgrade, without mount",
    );
  const optionsFor = (image: Partial<MountFlags>): Promise<BackendOptions> =>
    backendOptions({ ...flags, ...image }, warnings, givenForDaemon(given));
  // What goes on with a session finds its image there, and never reads a source again.
  const unprepared = () => optionsFor({ bootstrap: first });
  if (isSuccessor) return serve(await unprepared());
  if (flags.recover && (caller !== undefined || flags.foreground)) return recoverSession(await unprepared());
  if (caller !== undefined) return serveFor(caller, flags);
  const prepared = async () => {
    const image = await prepareSources(
      flags.foreground ? paths : paths.map(commonName),
      flags,
      ["--blob", "--blob-dir", "--localfs-dir"].filter((name) => given.has(name)),
    );
    const isAsItIs = image.bootstrap === (flags.foreground ? first : commonName(first));
    for (const option of ["--cache-dir", "--max-layer-size"])
      if (given.has(option) && isAsItIs)
        warnings.push(`${option} has no effect: ${first} is mounted as it is`);
    if (given.has("--config") && !isAsItIs)
      warnings.push(`the directories of --config have no effect: ${paths.join(", ")} has its tars in itself`);
    const options = withImage(await optionsFor(imageFlags(image, flags)), image);
    return { image, options: flags.foreground ? options : withCommonNames(options) };
  };
  if (flags.recover) {
    const options = await unprepared();
    return start(flags, options, openDaemonLog(options), async () => ({
      options: (await prepared()).options,
    }));
  }
  // A configuration that cannot be, before layers are read.
  refuseOwnFiles(await unprepared());
  await mustBeMountable(flags);
  const { image, options } = await prepared();
  if (!flags.foreground) ignoreHangup = await preparedForHangup();
  const ready = (facts: ReadyFacts, isServed: boolean): void => {
    sayReady(facts);
    image.close();
    // The mount does not wait for the disk.
    image.makeDurable(isServed).catch((error) => warn(`the cache in ${flags.cacheDir}: ${messageOf(error)}`));
  };
  const inThisProcess = inForeground(options, ready);
  const inAnother = inBackground(async (reason, log) => {
    await start(flags, options, log, async () => ({ options, reason }));
    image.close();
    await image
      .makeDurable(false)
      .catch((error) => warn(`the cache in ${flags.cacheDir}: ${messageOf(error)}`));
  });
  process.exitCode = await mountImage(options, ready, flags.foreground ? inThisProcess : inAnother);
}

const imageFlags = (
  { bootstrap, blobDirs, blobs }: PreparedImage,
  flags: MountFlags,
): Partial<MountFlags> => ({
  bootstrap,
  blobDir: [...flags.blobDir, ...blobDirs],
  blob: [...flags.blob, ...blobs.map(([id, path]): [string, string] => [id, path])],
});

const withImage = (options: BackendOptions, { known }: PreparedImage): BackendOptions => ({
  ...options,
  places: { ...options.places, known },
});

const check = (given: Given, { transport }: MountFlags): string[] =>
  checkGiven(given, transportFor(transport, process.geteuid?.() ?? 0) === "fuse-native");

const serve = async (options: DaemonOptions): Promise<void> => {
  const { runDaemon } = await import("../src/daemon/main.ts");
  process.exitCode = await runDaemon(options, sayReady);
};

/** Serves what the command that waits has made ready, and says to it what its user is to see. */
async function serveFor(waiting: Caller, flags: MountFlags): Promise<void> {
  const { options, reason } = await waiting.order();
  // That command has said warnings and reason: into the log, if that was given.
  const isSaid = flags.logFile !== undefined;
  const mine = { ...options, ...logTarget(flags), ...(isSaid ? { warnings: [] } : {}) };
  const log = openDaemonLog(mine);
  if (!isSaid && reason !== undefined) log.info(`driver fuse: ${reason}`);
  if (!isSaid) log.mirror(waiting.hear);
  const { serveImage } = await import("../src/daemon/main.ts");
  process.exitCode = await serveImage(mine, log, (facts) => {
    log.mirror(undefined);
    waiting.ready(facts, true);
  });
}

/** Has a process in the background serve, and says what it says. */
async function start(
  flags: MountFlags,
  options: DaemonOptions,
  log: Log,
  order: () => Promise<Order>,
): Promise<void> {
  refuseDescriptors(options);
  ignoreHangup = await preparedForHangup();
  const { mountpoint, logFile } = options;
  const { facts, ...process } = await serveInBackground({
    ...{ mountpoint, logFile, log, order },
    isKept: isKept(flags),
  });
  tellReady(formatFacts(facts, undefined, process));
}

/** Loaded only when it is asked for. */
async function recoverSession(options: DaemonOptions): Promise<never> {
  const { recover } = await import("../src/daemon/recover.ts");
  const log = openDaemonLog(options);
  if (caller !== undefined) log.mirror(caller.hear);
  return recover(options, log);
}

/** The command that waits for this process is told, where there is one. */
function sayReady(facts: ReadyFacts): void {
  if (caller !== undefined) caller.ready(facts, true);
  else tellReady(formatFacts(facts));
}

/** What was asked for is done: a terminal that goes away now, because of this line, is no reason to have failed. */
function tellReady(text: string): void {
  ignoreHangup();
  say(`ready ${text}`);
}
