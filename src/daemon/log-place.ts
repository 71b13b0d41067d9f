import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { bytesOf } from "../bytes/any-bytes.ts";
import { userDirectory } from "../bytes/user-directories.ts";
import { defaultStateDir } from "../handover/state-dir.ts";
import { logPath, openLogFile } from "../log/log-file.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";

const NAME = "nydusd-ts";
/** Where systemd's journal takes lines, as it does of services. */
const JOURNAL = "/run/systemd/journal/stdout";
const SYSLOG = "/dev/log";
const ANSWER_MS = 2_000;

/** Where a process that has no terminal writes its log, and where what it prints besides goes: its stderr. */
export interface LogPlace {
  /** As the ready line says it: `journal`, `syslog`, a path, or `none`. */
  readonly name: string;
  readonly stderr: number | Writable | "ignore";
  /** Lines go to stderr, each with its priority before it, for a collector that takes that away. */
  readonly isCollector: boolean;
  /** What the process that was started has of its own is not closed. */
  close(): void;
}

/**
 * The journal where there is one, else syslog, else a file for each mountpoint.
 *
 * @param logFile what was asked for instead, as nydusd names logs
 * @throws OperationalError when that cannot be written
 */
export async function findLogPlace(mountpoint: string, logFile: string | undefined): Promise<LogPlace> {
  if (logFile !== undefined) return inFile(logPath(resolve(logFile)));
  return (await inJournal()) ?? inSyslog(mountpoint) ?? inOwnFile(mountpoint);
}

async function inJournal(): Promise<LogPlace | undefined> {
  if (!existsSync(JOURNAL)) return undefined;
  const socket = await new Promise<Socket | undefined>((done) => {
    const opened: Socket = connect(JOURNAL, () => done(opened));
    opened.on("error", () => done(undefined));
    opened.setTimeout(ANSWER_MS, () => done(undefined));
  });
  if (socket === undefined) return undefined;
  // Identifier, unit, priority of lines without one, whether they have one, and no forwarding (systemd-cat sends the same).
  await new Promise<void>((done) => socket.write(`${NAME}\n\n6\n1\n0\n0\n0\n`, () => done()));
  return { name: "journal", stderr: socket, isCollector: true, close: () => socket.destroy() };
}

/** By logger(1), which stays: a process cannot be handed a socket of datagrams. */
function inSyslog(mountpoint: string): LogPlace | undefined {
  if (!existsSync(SYSLOG)) return undefined;
  const words = ["--socket-errors=on", "-t", NAME, "-p", "daemon.info"];
  const { status } = spawnSync("logger", [...words, "--prio-prefix", `log of ${mountpoint}`], {
    stdio: "ignore",
    timeout: ANSWER_MS,
  });
  if (status !== 0) return undefined; // nobody listens, or it is another logger than util-linux's
  const logger: ChildProcess = spawn("logger", [...words, "--prio-prefix", "--id"], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  logger.on("error", () => {});
  logger.unref();
  const pipe = logger.stdin;
  if (pipe === null) return undefined;
  return { name: "syslog", stderr: pipe, isCollector: true, close: () => pipe.destroy() };
}

/** The first directory of these that can be written. */
function inOwnFile(mountpoint: string): LogPlace {
  const state = userDirectory("XDG_STATE_HOME", ".local/state");
  const dirs = [...(process.geteuid?.() === 0 ? ["/var/log"] : []), state].map((dir) => join(dir, NAME));
  for (const dir of [...dirs, defaultStateDir()]) {
    try {
      mustBeOwnDirectory(dir, { make: 0o700 });
      return inFile(join(dir, fileNameOf(mountpoint)));
    } catch {} // the next one
  }
  return { name: "none", stderr: "ignore", isCollector: false, close: () => {} };
}

function inFile(path: string): LogPlace {
  const fd = openLogFile(path);
  return { name: path, stderr: fd, isCollector: false, close: () => closeSync(fd) };
}

/** `/mnt/a-b` is `mnt-a%2db.log`: each path has a file of its own, and the name needs no quotes. */
export function fileNameOf(mountpoint: string): string {
  const escaped = resolve(mountpoint)
    .slice(1)
    .replace(/[^\w/.:]/gu, (c) =>
      [...bytesOf(c)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
    )
    .replaceAll("/", "-");
  const name = escaped === "" ? "-" : escaped;
  return `${name.length > MAX_NAME ? name.slice(-MAX_NAME) : name}.log`;
}

/** With what rotation adds, a name may have 255 bytes. */
const MAX_NAME = 200;
