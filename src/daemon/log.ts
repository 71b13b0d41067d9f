import { closeSync, openSync, writeSync } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";

export const LEVELS = ["error", "warn", "info", "debug", "trace"] as const;
export type Level = (typeof LEVELS)[number];
const STDERR = 2;

export type Logger = Readonly<Record<Level, (message: string) => void>> & { close(): void };

/**
 * One line a message, `[time] LEVEL message`, as nydusd writes them, to stderr or a file.
 *
 * @param file appended to; `.log` is added to a name without extension, as nydusd does
 * @throws StartError if the file cannot be opened
 */
export function openLog(level: Level, file?: string): Logger {
  const fd = file === undefined ? STDERR : openFile(/\.[^/.]+$/.test(file) ? file : `${file}.log`);
  const most = LEVELS.indexOf(level);
  const at = (name: Level) =>
    LEVELS.indexOf(name) > most ? () => {} : (message: string) => put(fd, name, message);
  return {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    trace: at("trace"),
    close: () => {
      if (fd !== STDERR) closeSync(fd);
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
