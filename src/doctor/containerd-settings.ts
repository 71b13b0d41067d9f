import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { codeOf, messageOf } from "../bytes/errors.ts";
import { isRecord } from "../config-file/keys.ts";
import { parseText, readText } from "../config-file/text.ts";

/** What containerd was configured with, as far as it can be read. */
export interface Settings {
  readonly file: string;
  /** The file as it is; undefined: there is none. */
  readonly text: string | undefined;
  /** What is in it. */
  readonly own: Readonly<Record<string, unknown>>;
  /** What containerd makes of it, of the files that it imports, and of what it takes by default. */
  readonly effective: Readonly<Record<string, unknown>>;
  /** Why that is only the file. */
  readonly notDumped: string | undefined;
}

const DEFAULT_FILE = "/etc/containerd/config.toml";
const DUMP_MS = 20_000;

/**
 * Has containerd's own program say what it makes of its configuration: only it knows its defaults and what it imports.
 *
 * @param pid of the containerd that runs; undefined: it is not known
 * @param file instead of the one that the process was started with
 * @throws OperationalError for a file that cannot be read
 */
export function readSettings(pid: number | undefined, file: string | undefined): Settings {
  const path = file ?? (pid === undefined ? DEFAULT_FILE : fileOf(pid));
  const text = textOf(path);
  const own = recordOf(text ?? "", path);
  const settings = { file: path, text, own };
  if (pid === undefined) return { ...settings, effective: own, notDumped: "its process cannot be seen" };
  try {
    const dump = dumpOf(pid, text === undefined ? [] : ["--config", path]);
    return { ...settings, effective: recordOf(dump, `${path} as containerd takes it`), notDumped: undefined };
  } catch (error) {
    return { ...settings, effective: own, notDumped: messageOf(error) };
  }
}

/** Its plugins have other names than those of all later versions. */
export const isOfVersion1 = ({ own }: Settings): boolean =>
  Object.keys(own).length > 0 && !(Number(own["version"]) >= 2);

function textOf(path: string): string | undefined {
  try {
    statSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
  }
  return readText(path);
}

function recordOf(text: string, name: string): Record<string, unknown> {
  const { data } = parseText(text, name);
  return isRecord(data) ? data : {};
}

/** Where a process of containerd has its configuration. */
function fileOf(pid: number): string {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const at = words.findIndex((word) => /^--?c(onfig)?(=|$)/.test(word));
    if (at === -1) return DEFAULT_FILE;
    const word = words[at] ?? "";
    const named = word.includes("=") ? word.slice(word.indexOf("=") + 1) : (words[at + 1] ?? DEFAULT_FILE);
    return resolve(readlinkSync(`/proc/${pid}/cwd`), named);
  } catch {
    return DEFAULT_FILE;
  }
}

/** @throws Error why not: who answers at a socket names a process, which need not be containerd */
function dumpOf(pid: number, config: readonly string[]): string {
  const program = readlinkSync(`/proc/${pid}/exe`);
  if (basename(program) !== "containerd") throw new Error(`process ${pid} is ${program}`);
  if (statSync(`/proc/${pid}`).uid !== process.geteuid?.())
    throw new Error(`process ${pid} is another user's`);
  const { status, stdout, stderr, error } = spawnSync(`/proc/${pid}/exe`, [...config, "config", "dump"], {
    encoding: "utf8",
    timeout: DUMP_MS,
    maxBuffer: 16 << 20,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(stderr.trim().split("\n", 1)[0] ?? `status ${status}`);
  return stdout;
}
