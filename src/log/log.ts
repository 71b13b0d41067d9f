import { escapeControlChars } from "../bytes/escape-control-chars.ts";
import { LineWriter } from "./line-writer.ts";
import { LogFile } from "./log-file.ts";
import {
  collectedLine,
  type Fields,
  formatFor,
  jsonLine,
  LEVELS,
  type Level,
  type LogFormat,
  textLine,
} from "./log-line.ts";

const WARN = LEVELS.indexOf("warn");
const TRACE = LEVELS.indexOf("trace");
const STDERR = 2;
const MIB = 1024 * 1024;

export type Logger = Readonly<Record<Level, (message: string, fields?: Fields) => void>> & {
  /**
   * Tells now, and whenever it changes, whether trace messages are logged: making them may cost more than a message.
   *
   * @returns ends that: a log outlives what watches it
   */
  watchTrace(changed: (isLogged: boolean) => void): () => void;
  close(): void;
};

/** The daemon's own log. */
export type Log = Logger & {
  /**
   * How much is logged from now on; nothing when "off".
   *
   * @returns false when there is no such level
   */
  setLevel(name: string): boolean;
  /** Tells of errors and warnings as well, whatever the level. */
  watch(heard: (message: string) => void): void;
  /** Tells of everything that is logged, too; undefined: no more. */
  mirror(heard: ((level: Level, message: string, fields?: Fields) => void) | undefined): void;
};

/** Where a log goes, and how. */
export interface LogTarget {
  /** Appended to; undefined: stderr. `.log` is added to a name without extension, as nydusd does. */
  readonly logFile?: string | undefined;
  readonly logFormat?: LogFormat | undefined;
  /** stderr leads to a collector that takes the priority away from before each line: journal or syslog. */
  readonly isCollected?: boolean | undefined;
  /** MiB at which the file is put aside; undefined: never. */
  readonly logRotationSize?: number | undefined;
}

/**
 * One line a message, whatever is in it, written before the call returns.
 *
 * @throws OperationalError if the file cannot be opened
 */
export function openLog(level: Level, place: LogTarget = {}): Log {
  const { logFile, logRotationSize = Number.POSITIVE_INFINITY } = place;
  const line = lineFor(place);
  const out =
    logFile === undefined ? new LineWriter(STDERR) : new LogFile(logFile, logRotationSize * MIB, warn);
  let most = LEVELS.indexOf(level);
  let heard: (message: string) => void = () => {};
  let mirrored: Parameters<Log["mirror"]>[0];
  const tracers = new Set<(isLogged: boolean) => void>();
  const isTracing = () => most >= TRACE;
  const at = (name: Level) => {
    const rank = LEVELS.indexOf(name);
    return (message: string, fields?: Fields) => {
      if (rank <= most) {
        out.write(line(new Date(), name, message, fields));
        mirrored?.(name, message, fields);
      }
      if (rank <= WARN) heard(escapeControlChars(message));
    };
  };
  const log = {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    trace: at("trace"),
    close: () => out.close(),
    setLevel: (name: string) => {
      const wanted = ["off", ...LEVELS].indexOf(name);
      if (wanted < 0) return false;
      most = wanted - 1;
      for (const changed of tracers) changed(isTracing());
      return true;
    },
    watchTrace: (changed: (isLogged: boolean) => void) => {
      tracers.add(changed);
      changed(isTracing());
      return () => void tracers.delete(changed);
    },
    watch: (listener: (message: string) => void) => {
      heard = listener;
    },
    mirror: (listener: typeof mirrored) => {
      mirrored = listener;
    },
  };
  /** What the file complains of goes through the log that writes to it, and is an event like others. */
  function warn(problem: string): void {
    log.warn(problem);
  }
  return log;
}

/** How a message becomes a line. */
function lineFor({ logFile, logFormat = "auto", isCollected = false }: LogTarget): typeof textLine {
  if (isCollected && logFile === undefined)
    return (time, level, message, fields) =>
      collectedLine(
        level,
        message,
        fields,
        logFormat === "json" ? jsonLine(time, level, message, fields) : undefined,
      );
  return formatFor(logFormat, logFile) === "json" ? jsonLine : textLine;
}
