import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { parse as parseToml, TomlError } from "smol-toml";
import { parseJson as parseBounded } from "../bytes/bounded-json.ts";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { readBounded } from "../safe-open/read-bounded.ts";
import { descriptorOf } from "./own-descriptor.ts";

/** nydusd's own limit (`ConfigV2::from_file`). */
const MAX_BYTES = 1024 * 1024;

/** Every message about a configuration file begins alike, and is one line: JSON.parse quotes what it stumbles over. */
export const problem = (name: string, what: string) => new OperationalError(`config ${name}: ${what}`);

/** @throws OperationalError */
export function readText(path: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a fifo must not block
    const stats = fstatSync(fd);
    const isPiped = stats.isFIFO() && descriptorOf(path) !== undefined; // somebody writes to what is open already
    if (!stats.isFile() && !isPiped) throw new OperationalError("is not a regular file");
    const bytes = isPiped ? readFileSync(path) : readBounded(fd, MAX_BYTES);
    const length = bytes?.length ?? fstatSync(fd).size;
    if (bytes === undefined || length > MAX_BYTES)
      throw new OperationalError(`is ${length} bytes long, want ${MAX_BYTES} at most`);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw problem(
      path,
      codeOf(error) === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "is not UTF-8 text" : messageOf(error),
    );
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Tells JSON from TOML by the first character, as no TOML begins with `{`. */
export function parseText(text: string, name: string): { data: unknown; isToml: boolean } {
  if (text.trimStart().startsWith("{")) return { data: parseJson(text, name), isToml: false };
  try {
    return { data: parseToml(text), isToml: true };
  } catch (error) {
    if (name.endsWith(".json")) return { data: parseJson(text, name), isToml: false };
    const place = error instanceof TomlError ? ` (line ${error.line}, column ${error.column})` : "";
    // The rest of the message quotes the file, which may hold passwords.
    const what = (messageOf(error).split("\n", 1)[0] ?? "").replace("Invalid TOML document: ", "");
    throw problem(name, `is not valid TOML: ${what}${place}`);
  }
}

function parseJson(text: string, name: string): unknown {
  try {
    return parseBounded(Buffer.from(text));
  } catch (error) {
    const message = messageOf(error);
    // Some of V8's messages quote the file, which may hold passwords; others end in an offset.
    const what = message.split(/ (?:in|after) JSON at position|, (?:\.\.\.)?"/)[0];
    const offset = / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(message)?.[1];
    throw problem(name, `is not valid JSON: ${what}${offset ? placeOf(text, Number(offset)) : ""}`);
  }
}

function placeOf(text: string, offset: number): string {
  const lines = text.slice(0, offset).split("\n");
  return ` (line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1})`;
}
