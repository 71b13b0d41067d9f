import { isatty } from "node:tty";
import { escapeControlChars, shown } from "../bytes/escape-control-chars.ts";

export const LEVELS = ["error", "warn", "info", "debug", "trace"] as const;
export type Level = (typeof LEVELS)[number];
/** What a message is about, for programs: keys of a JSON line beside time, level and message. */
export type Fields = Readonly<Record<string, number | string>>;

export const LOG_FORMATS = ["auto", "text", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
const STDERR = 2;

/** Text for a terminal; JSON for a file or a pipe, which a program collects. */
export const formatFor = (format: LogFormat, file?: string): Exclude<LogFormat, "auto"> => {
  if (format !== "auto") return format;
  return file === undefined && isatty(STDERR) ? "text" : "json";
};

/** `[time] LEVEL message`, as nydusd writes them; fields follow as JSON. */
export function textLine(time: Date, level: Level, message: string, fields?: Fields): string {
  return `[${time.toISOString()}] ${level.toUpperCase()} ${withFields(message, fields)}\n`;
}

/** Of syslog(3), in the order of LEVELS. */
const PRIORITIES = [3, 4, 6, 7, 7];

/**
 * A line for a collector that has a time of its own, journal or syslog: `<6>message`, the priority as sd-daemon(3) writes it.
 *
 * @param line of another kind, to be collected as it is; undefined: the message
 */
export function collectedLine(level: Level, message: string, fields?: Fields, line?: string): string {
  return `<${PRIORITIES[LEVELS.indexOf(level)]}>${line ?? `${withFields(message, fields)}\n`}`;
}

const withFields = (message: string, fields?: Fields): string =>
  fields === undefined ? shown(message) : `${shown(message)} ${escapeControlChars(JSON.stringify(fields))}`;

/** `{"time":…,"level":…,"message":…}`. What is escaped for the eye is so as JSON does it: parsing gives it back. */
export const jsonLine = (time: Date, level: Level, message: string, fields?: Fields): string =>
  `${escapeControlChars(JSON.stringify({ time: time.toISOString(), level, message, ...fields }))}\n`;
