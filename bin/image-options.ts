import { dirname } from "node:path";
import { type Command, Option } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import { versionText } from "../src/daemon/version.ts";
import type { UnpackOptions } from "../src/inspect/unpack.ts";
import { type Logger, openLog } from "../src/log/log.ts";
import { LEVELS, type Level } from "../src/log/log-line.ts";
import { collect } from "./parse-values.ts";

/** Where tars are; bin does not know the room that looks for them. */
type BlobSearch = UnpackOptions["search"];

export interface LogFlags {
  logFile?: string;
  logLevel?: Level;
}

/** What commander makes of a command that is about one image. */
export interface ImageFlags extends LogFlags {
  bootstrap?: string;
  blobDir: string[];
  config?: string;
  /** Absent for commands that need no data. */
  blob?: string[];
}

/** `ID=PATH`, but not a path that has an equals sign in it: ids have no slash, and `./a=b` helps. */
const NAMED_BLOB = /^([^/=.][^/=]*)=(.+)$/s;

const LOG = "The log:";

/** Options that nydus-image takes before and behind the command. */
export const addLogOptions = (command: Command): Command =>
  command
    .addOption(new Option("-L, --log-file <file>", "append the log there instead of stderr").helpGroup(LOG))
    .addOption(new Option("-l, --log-level <level>", "how much is logged").choices(LEVELS).helpGroup(LOG));

/** For a command that takes an image, and where its tars are. */
export const addImageOptions = (command: Command): Command =>
  command
    .argument("[bootstrap]", "the image: RAFS v6 bootstrap, EROFS image or flattened disk")
    .addOption(new Option("-B, --bootstrap <file>", "the same").hideHelp())
    .option(
      "-D, --blob-dir <dir>",
      "directory that holds the tars under their blob ids, may be given several times",
      collect,
      [],
    )
    .option("-C, --config <file>", "nydusd configuration that names those directories");

/** For a command that reads the tars. */
export const addBlobOption = (command: Command): Command =>
  command.option("-b, --blob <file>", "the tar of the only blob, or ID=PATH for one of several", collect, []);

/** @throws UsageError when the image is named twice or not at all */
export function imageOf(argument: string | undefined, { bootstrap }: ImageFlags): string {
  if (argument !== undefined && bootstrap !== undefined)
    throw new UsageError(`the image is named twice: ${argument} and --bootstrap ${bootstrap}`);
  const image = argument ?? bootstrap;
  if (image === undefined) throw new UsageError("missing argument: the path of the bootstrap");
  return image;
}

/**
 * @returns undefined when no option says where the blobs are
 * @throws UsageError when options contradict each other; OperationalError when the configuration cannot be used
 */
export async function blobSearchOf({
  blobDir,
  config,
  blob = [],
}: ImageFlags): Promise<BlobSearch | undefined> {
  const isNamed = blobDir.length > 0 || blob.length > 0;
  if (config !== undefined) {
    if (isNamed) throw new UsageError("--config cannot be used together with --blob-dir or --blob");
    const { readConfig } = await import("../src/daemon/config.ts"); // see daemon/options-from-flags.ts
    const { blobDirs, blobFile } = readConfig(config);
    return { dirs: blobDirs, files: new Map(), ...(blobFile === undefined ? {} : { single: blobFile }) };
  }
  if (!isNamed) return undefined;
  const files = new Map<string, string>();
  const plain = blob.filter((value) => {
    const [, id, path] = NAMED_BLOB.exec(value) ?? [];
    if (id === undefined || path === undefined) return true;
    files.set(id, path);
    return false;
  });
  if (plain.length > 1) throw new UsageError("--blob is given twice without an id: want ID=PATH");
  return { dirs: blobDir, files, ...(plain.length === 0 ? {} : { single: plain[0] }) };
}

/** Tars usually lie beside their bootstrap. */
export const besideOf = (image: string): BlobSearch => ({
  dirs: [],
  beside: dirname(image),
  files: new Map(),
});

/** As nydus-image writes it into its JSON: `0.1.0-<commit>`. */
export function versionWord(): string {
  const lines = versionText().split("\n");
  const [version, commit] = lines.map((line) => line.split("\t").at(-1));
  return `${version}-${commit}`;
}

/** @throws OperationalError if the log file cannot be opened */
export const logOf = (program: Command, flags: LogFlags): Logger => {
  const { logLevel = "info", logFile } = { ...program.opts<LogFlags>(), ...flags };
  return openLog(logLevel, { logFile, logFormat: "text" });
};
