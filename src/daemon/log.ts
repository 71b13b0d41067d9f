import { closeSync, openSync, writeSync } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";

export const LEVELS = ["error", "warn", "info", "debug", "trace"] as const;
export type Level = (typeof LEVELS)[number];
const WARN = LEVELS.indexOf("warn");
const STDERR = 2;

export type Logger = Readonly<Record<Level, (message: string) => void>> & { close(): void };

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
};

/**
 * One line a message, `[time] LEVEL message`, as nydusd writes them, to stderr or a file.
 *
 * @param file appended to; `.log` is added to a name without extension, as nydusd does
 * @throws StartError if the file cannot be opened
 */
export function openLog(level: Level, file?: string): Log {
  const fd = file === undefined ? STDERR : openFile(/\.[^/.]+$/.test(file) ? file : `${file}.log`);
  let most = LEVELS.indexOf(level);
  let heard: (message: string) => void = () => {};
  const at = (name: Level) => {
    const rank = LEVELS.indexOf(name);
    return (message: string) => {
      if (rank <= most) put(fd, name, message);
      if (rank <= WARN) heard(message);
    };
  };
  return {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    trace: at("trace"),
    close: () => {
      if (fd !== STDERR) closeSync(fd);
    },
    setLevel: (name) => {
      const wanted = ["off", ...LEVELS].indexOf(name);
      if (wanted >= 0) most = wanted - 1;
      return wanted >= 0;
    },
    watch: (listener) => {
      heard = listener;
    },
  };
}

/** A log that cannot be written (full disk, closed pipe) must not stop a file system. */
function put(fd: number, level: Level, message: string): void {
  try {
    writeSync(fd, `[${new Date().toISOString()}] ${level.toUpperCase()} ${message}\n`);
  } catch {
    // Nowhere left to say it.
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    throw new StartError(`log file ${path}: ${messageOf(error)}`);
  }
}
