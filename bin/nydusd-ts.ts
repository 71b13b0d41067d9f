#!/usr/bin/env node
import { Command } from "commander";
import { messageOf, UsageError } from "../src/bytes/errors.ts";
import { daemonize } from "../src/daemon/daemonize.ts";
import { mountImage } from "../src/daemon/mount-backend.ts";
import { formatFacts, type ReadyFacts } from "../src/daemon/facts.ts";
import type { DaemonOptions } from "../src/daemon/options.ts";
import {
  type BackendFlags,
  daemonOptions,
  backendOptions,
  isKept,
  type MountFlags,
} from "../src/daemon/options-from-flags.ts";
import { openDaemonLog, runDaemon } from "../src/daemon/main.ts";
import { unmountImage } from "../src/daemon/unmount-image.ts";
import { versionText } from "../src/daemon/version.ts";
import { formatFor } from "../src/log/log-line.ts";
import type { WantedPlatform } from "../src/source/platform.ts";
import { transportFor } from "../src/session/choose.ts";
import { doneWith, findKeeper } from "../src/handover/keeper.ts";
import { addCache } from "./cache.ts";
import { checkGiven, type Given, givenForDaemon, givenOptions } from "./check-given.ts";
import { addMountOptions, SOURCE_OPTIONS } from "./mount-options.ts";
import { progress } from "./progress.ts";
import { runProgram } from "./run-program.ts";
import { addTrace } from "./trace.ts";

interface SourceFlags extends BackendFlags {
  readonly cacheDir: string;
  readonly ref?: string;
  readonly platform?: WantedPlatform;
}

/** `nydusd-ts`: mounts a TARFS image and serves it. No logic lives here. */
const program = new Command("nydusd-ts")
  .description("mount a container image straight from its tar files")
  .version(versionText(), "-V, --version")
  .enablePositionalOptions()
  .exitOverride();

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** @throws UsageError for options that contradict each other or have no effect */
async function mount(flags: MountFlags, given: Given): Promise<void> {
  const warnings = check(given, flags);
  if (flags.daemonize) return background(flags);
  const options = await daemonOptions(flags, warnings);
  if (flags.recover) return recoverSession(options);
  process.exitCode = await runDaemon(options, ready);
}

const check = (given: Given, { transport }: MountFlags): string[] =>
  checkGiven(given, transportFor(transport, process.geteuid?.() ?? 0) === "fuse-native");

/** Loaded only when it is asked for. */
async function recoverSession(options: DaemonOptions): Promise<never> {
  const { recover } = await import("../src/daemon/recover.ts");
  return recover(options, openDaemonLog(options));
}

/** The log begins on this terminal, but is written into a pipe. */
const background = (flags: MountFlags): Promise<void> =>
  daemonize(say, ["--log-format", formatFor(flags.logFormat, flags.logFile)], isKept(flags));

function ready(facts: ReadyFacts, isServed = true): void {
  const text = formatFacts(facts);
  say(`ready ${text}`);
  process.send?.({ ready: text, isServed });
  if (process.connected) process.disconnect();
}

const EXAMPLES = `
Examples:
  nydusd-ts --bootstrap image.boot --blob-dir /var/lib/layers --mountpoint /mnt/rootfs
  nydusd-ts mount image.boot /mnt/rootfs        the tars lie beside the bootstrap
  nydusd-ts mount base.tar app.tar.gz /mnt/rootfs
  nydusd-ts mount saved.tar /mnt/rootfs --ref app:1.0
  nydusd-ts -B image.boot --blob 1=layer.tar -M /mnt/rootfs --daemonize --pid-file /run/rootfs.pid
  nydusd-ts mount image.boot /mnt/rootfs --rw /var/lib/changes
  nydusd-ts umount /mnt/rootfs
  nydusd-ts doctor                              what this host can do`;

const fuse = addMountOptions(
  program
    .command("fuse", { isDefault: true })
    .description("mount an image and serve it in the foreground (also without naming the command)")
    .option(
      "-B, --bootstrap <file>",
      "the image: RAFS v6 bootstrap, EROFS image or flattened disk; without it, --apisock brings images later",
    )
    .requiredOption("-M, --mountpoint <dir>", "directory to mount on"),
);
fuse.action((flags: MountFlags, command: Command) => mount(flags, givenOptions(command)));

addMountOptions(
  program
    .command("mount <source...>")
    .usage("[options] <source...> <dir>")
    .description(
      "mount what there is: a bootstrap, whose tars are found beside it unless options say otherwise; or layers, " +
        "the lowest first, as tar, tar.gz or tar.zst (- for stdin); or an OCI image layout or archive; or what docker save wrote",
    ),
  SOURCE_OPTIONS,
).action((sources: string[], flags: SourceFlags, command: Command) =>
  mountSources(sources, flags, givenOptions(command)),
);

/** @throws UsageError as `mount`, and without a directory to mount on */
async function mountSources(args: string[], flags: SourceFlags, given: Given): Promise<void> {
  const mountpoint = args.at(-1) ?? "";
  const paths = args.slice(0, -1);
  if (paths.length === 0)
    throw new UsageError("missing argument: want a source and the directory to mount it on");
  const warnings = check(new Map([...given, ["--bootstrap", paths[0]]]), flags);
  // The daemon that is started in the background prepares the image itself.
  if (flags.daemonize) return background(flags);
  const forDaemon = givenForDaemon(given);
  if (flags.recover || isSuccessor) {
    const options = await backendOptions(
      { ...flags, bootstrap: paths[0] ?? "", mountpoint },
      warnings,
      forDaemon,
    );
    if (flags.recover) return recoverSession(options);
    process.exitCode = await runDaemon(options, ready);
    return;
  }
  const { cacheDir, ref, platform } = flags;
  const warn = (message: string) => process.stderr.write(`warning: ${message}\n`);
  const { prepareImage } = await import("../src/source/prepare.ts"); // images that are mounted as they are need less
  const report = progress(process.stderr.isTTY);
  const { blobDir: named } = flags;
  const prepared = await prepareImage({ paths, cacheDir, blobDirs: named, ref, platform, report, warn });
  const { bootstrap, blobDirs, blobs } = prepared;
  const blob = [...flags.blob, ...blobs.map(([id, path]): [string, string] => [id, path])];
  const options = { ...flags, bootstrap, mountpoint, blobDir: [...named, ...blobDirs], blob };
  const makeDurable = (isServed: boolean) =>
    prepared.makeDurable(isServed).catch((error) => warn(`the cache in ${cacheDir}: ${messageOf(error)}`));
  const drive = await backendOptions(options, warnings, forDaemon);
  const places = { ...drive.places, within: prepared.within };
  process.exitCode = await mountImage({ ...drive, places }, (facts, isServed) => {
    ready(facts, isServed);
    makeDurable(isServed); // the mount does not wait for the disk
  });
}

program
  .command("umount <dir>")
  .description("unmount an image and what was written over it; its daemon ends")
  .action(async (dir: string) => say(await unmountImage(dir)));

addCache(program, say);
addTrace(program);

program
  .command("doctor")
  .description("say what this host can do, and what to change")
  .option("--json", "as JSON", false)
  .action(async ({ json }: { json: boolean }) => {
    const { examineHost, findingsText } = await import("../src/doctor/examine.ts");
    const { findings, hasDriver } = await examineHost();
    say(json ? JSON.stringify(findings, null, 2) : findingsText(findings));
    process.exitCode = hasDriver ? 0 : 1;
  });

/** Without this the default command would ask for its mountpoint. @throws UsageError */
function mustBeCommand(word: string | undefined): void {
  const known = [...program.commands.map((command) => command.name()), "help"];
  if (word !== undefined && !word.startsWith("-") && !known.includes(word))
    throw new UsageError(`unknown command "${word}": want ${known.join(", ")}`);
}

const mountOptions = () => fuse.helpInformation().replace(/^.*?\nOptions:/s, "\nOptions of fuse and mount:");
program.addHelpText("after", () => mountOptions() + EXAMPLES);
process.stdout.on("error", () => {}); // a reader of our output that went away is no reason to stop serving

const keeper = findKeeper();
/** Another process has mounted what is to be served. */
const isSuccessor = keeper !== undefined && keeper.role !== "first";

await runProgram(
  () => {
    mustBeCommand(process.argv[2]);
    return program.parseAsync();
  },
  (error) => (error instanceof UsageError ? 2 : 1),
);
// What a process could not begin will not be better the next time; what it could not go on with may.
if (keeper?.role === "first" && Number(process.exitCode ?? 0) < doneWith(0))
  process.exitCode = doneWith(Number(process.exitCode ?? 0));
