import { FormatError } from "../bytes/errors.ts";
import { type ProcessState, processState } from "../proc/processes.ts";
import type { CheckedState, SessionSnapshot } from "../session/snapshot.ts";

/** Everything that the process that serves a session next has to know. */
export interface SessionState extends SessionSnapshot {
  readonly serving: ProcessState;
  /** The process that outlives those that serve: the keeper, or the only process there is. */
  readonly owner: ProcessState;
  /** What it has made beside the state, and removes in the end: pid file and socket of the API. Absent in older states. */
  readonly made?: readonly string[];
}

/** @param owner pid of the process that outlives those that serve */
export const stateOf = (
  snapshot: SessionSnapshot,
  owner: number,
  made: readonly string[] = [],
): SessionState => ({
  ...{ ...snapshot, made },
  serving: processState(process.pid),
  owner: processState(owner),
});

/** Of the state that is written here, and the oldest version of a program's that can read it. */
const VERSION = 1;
const OLDEST_READER = 1;
/** The oldest state that is understood: one release back. */
const OLDEST_STATE = 1;
const MAGIC = "nydusd-ts-state";
const UNCHECKED = "-";
/** FNV-1a, 32 bits. */
const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * A line that says what follows, then JSON: `nydusd-ts-state VERSION OLDEST_READER BYTES CHECKSUM [GENERATION]`.
 *
 * @param generation which of the states of one file it is: see state-areas
 */
export const formatState = (state: SessionState, generation?: number): Buffer =>
  format(state, (body) => [checksum(body), ...(generation === undefined ? [] : [generation])].join(" "));

/**
 * The same without a checksum, which over so many bytes has V8 compile it: 7 MB. A file that was not written to its end has
 * another length, and outlives no restart of the machine.
 */
export const formatChecked = (checked: CheckedState): Buffer => format(checked, () => UNCHECKED);

function format(content: object, sum: (body: Buffer) => string): Buffer {
  const body = Buffer.from(JSON.stringify(content));
  const head = `${MAGIC} ${VERSION} ${OLDEST_READER} ${body.length} ${sum(body)}\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/**
 * @param from the file's path, or the sender
 * @throws FormatError for what is no state, not whole, or of a version that this program does not understand
 */
export function parseState(bytes: Buffer, from: string): SessionState {
  return parse(bytes, from, checksum) as SessionState;
}

/** @throws as `parseState`, or what JSON is thrown for */
export const parseChecked = (bytes: Buffer, from: string): CheckedState =>
  parse(bytes, from, () => UNCHECKED) as CheckedState;

/** @returns bytes of the whole state that begins here, whatever follows; undefined: there is none */
export function lengthOf(area: Buffer): number | undefined {
  const end = area.indexOf(0x0a);
  const [magic, , , length, sum] = area.subarray(0, Math.max(end, 0)).toString("latin1").split(" ");
  const body = area.subarray(end + 1, end + 1 + Number(length));
  return magic === MAGIC && body.length === Number(length) && checksum(body) === sum
    ? end + 1 + body.length
    : undefined;
}

/** Which of the states of one file a whole one is. */
export const generationOf = (area: Buffer): number =>
  Number(area.subarray(0, area.indexOf(0x0a)).toString("latin1").split(" ")[5] ?? 0);

function parse(bytes: Buffer, from: string, sum: (body: Buffer) => string): unknown {
  const end = bytes.indexOf(0x0a);
  const fail = (at: number, problem: string): never => {
    throw new FormatError(problem, { file: from, at });
  };
  const [magic, ...numbers] = bytes.subarray(0, Math.max(end, 0)).toString("latin1").split(" ");
  if (magic !== MAGIC || numbers.length < 4) fail(0, `no state of a session: want "${MAGIC} VERSION …"`);
  const [version, reader, length] = numbers.map(Number);
  if (version < OLDEST_STATE || reader > VERSION || version < reader)
    fail(
      MAGIC.length + 1,
      `state of version ${numbers[0]}, for programs that know ${numbers[1]} or later; this one knows ${OLDEST_STATE} to ${VERSION}`,
    );
  const body = bytes.subarray(end + 1);
  if (body.length !== length) fail(end + 1, `${body.length} bytes of state, want ${numbers[2]}`);
  if (sum(body) !== numbers[3]) fail(end + 1, `checksum of the state is ${sum(body)}, want ${numbers[3]}`);
  return JSON.parse(body.toString());
}

/** FNV-1a over words of four bytes and what is left: a loop over bytes would be so long that V8 compiles it, 3 MB. */
export function checksum(bytes: Buffer): string {
  let hash = OFFSET_BASIS;
  const words = bytes.length & ~3;
  for (let at = 0; at < words; at += 4) hash = Math.imul(hash ^ bytes.readInt32LE(at), PRIME);
  for (let at = words; at < bytes.length; at++) hash = Math.imul(hash ^ bytes[at], PRIME);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
