import { constants } from "node:os";
import { EUCLEAN } from "../bytes/errno.ts";
import { showName } from "../bytes/name.ts";
import { opName } from "./opcodes.ts";

/*
 * A line a request and a line a reply, for `--log-level trace`: both transports write them alike, so that one grep finds
 * both halves by `unique=`. What the kernel or an image gives as text is in quotes, and cannot end them.
 */

/** @param about what it is about, as `key=value` with spaces between */
export const requestLine = (unique: bigint | number, opcode: number, about: string): string =>
  `request unique=${unique} op=${opName(opcode)} ${about}`;

/**
 * @param result a count, or -errno
 * @param us from the request's arrival to the end of its reply
 * @param about as in `requestLine`; empty: nothing
 */
export const replyLine = (
  unique: bigint | number,
  opcode: number,
  result: number,
  us: number,
  about = "",
): string =>
  [
    `reply unique=${unique} op=${opName(opcode)}`,
    result < 0 ? `errno=${errnoName(-result)}` : `bytes=${result}`,
    ...(about === "" ? [] : [about]),
    `us=${Math.round(us)}`,
  ].join(" ");

/** What would end the quotes, and a backslash that is not yet the beginning of a `\xNN`. */
const UNQUOTED = /"|\\(?!x[0-9a-f]{2})/g;

/** A name or path in quotes. `\xNN` is a byte, and nothing else is an escape: the log, which makes JSON of it, escapes by itself. */
export const quoted = (name: Uint8Array): string =>
  `"${showName(name).replace(UNQUOTED, (c) => (c === '"' ? "\\x22" : "\\x5c"))}"`;

/** Node does not name EUCLEAN. */
const ERRNO_NAMES = new Map(
  Object.entries({ ...constants.errno, EUCLEAN }).map(([name, errno]) => [errno, name]),
);
const errnoName = (errno: number): string => ERRNO_NAMES.get(errno) ?? String(errno);
