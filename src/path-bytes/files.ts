import fs from "node:fs";
import { bytesOf, holdsBytes, textOf } from "../bytes/any-bytes.ts";

type Call = (...args: unknown[]) => unknown;
type Calls = Record<string, Call>;

/** Calls whose first argument is a path, without `Sync`; those of the second row have two. */
const ONE =
  "access appendFile chmod chown createReadStream createWriteStream exists lchown lstat lutimes mkdir open opendir " +
  "readFile rm rmdir stat statfs truncate unlink utimes watch writeFile";
const STREAM = /^(create.*Stream|open)$/;
const TWO = "copyFile link rename symlink";
/** Those that answer with a path. */
const PATH = "mkdtemp readlink realpath";
const LIST = "readdir";
/** What Node makes of each byte that is no UTF-8. */
const LOST = "\ufffd";

const isOfBytes = (arg: unknown): arg is string => typeof arg === "string" && holdsBytes(arg);
const encode = (arg: unknown): unknown => (isOfBytes(arg) ? bytesOf(arg) : arg);
const decode = (answer: unknown): unknown => (answer instanceof Uint8Array ? textOf(answer) : answer);

/** Calls of `node:fs` and `node:fs/promises` take strings that hold any bytes, and answer with such. */
export function openFilesToBytes(): void {
  for (const name of ONE.split(" ")) wrap(name, (call) => taking(call, 1));
  for (const name of TWO.split(" ")) wrap(name, (call) => taking(call, 2));
  for (const name of PATH.split(" ")) wrap(name, answering);
  wrap(LIST, listing);
}

/** Wraps a call that blocks, and the one that promises: both are used here. */
function wrap(name: string, by: (call: Call) => Call): void {
  const [sync, promises] = [fs, fs.promises] as unknown as [Calls, Calls];
  // Node's own realpathSync, which is not the system's, takes no bytes.
  const blocking = name === "realpath" ? (fs.realpathSync.native as Call) : sync[`${name}Sync`];
  if (blocking !== undefined) sync[`${name}Sync`] = by(blocking);
  const promising = promises[name];
  if (promising !== undefined) promises[name] = by(promising);
  // Streams open their files so.
  const plain = sync[name];
  if (plain !== undefined && STREAM.test(name)) sync[name] = by(plain);
}

/** @param paths how many of the first arguments are paths */
const taking =
  (call: Call, paths: number): Call =>
  (...args) => {
    // Of most calls no path has such bytes: hundreds of layers make thousands of them.
    for (let i = 0; i < paths; i++)
      if (isOfBytes(args[i]))
        return naming(args, () => call(...args.map((arg, j) => (j < paths ? encode(arg) : arg))));
    return call(...args);
  };

/** One that answers with bytes when it is asked to. */
const answering =
  (call: Call): Call =>
  (path, options) =>
    options === undefined
      ? naming([path], () => call(encode(path), "buffer"), decode)
      : call(encode(path), options);

/** One that answers with names. Most lists have no such name: Node makes strings of them faster. */
function listing(call: Call): Call {
  return (path, options, ...rest) => {
    const again = (answer: unknown): unknown => {
      if (!Array.isArray(answer) || !answer.some(isLost)) return answer;
      const given = typeof options === "object" ? options : {};
      return then(call(encode(path), { ...given, encoding: "buffer" }, ...rest), (all) =>
        (all as unknown[]).map(named),
      );
    };
    return naming([path], () => call(encode(path), options, ...rest), again);
  };
}

const isLost = (entry: unknown): boolean =>
  (typeof entry === "string" ? entry : entry instanceof fs.Dirent ? entry.name : "").includes(LOST);

function named(entry: unknown): unknown {
  if (entry instanceof fs.Dirent) entry.name = decode(entry.name) as string;
  return decode(entry);
}

const then = (value: unknown, next: (value: unknown) => unknown): unknown =>
  value instanceof Promise ? value.then(next) : next(value);

/** Errors name a path as Node shows its bytes; they are to name it as it was given. */
function naming(
  args: readonly unknown[],
  work: () => unknown,
  next: (value: unknown) => unknown = (x) => x,
): unknown {
  const fail = (error: unknown): never => {
    if (error instanceof Error)
      for (const arg of args)
        if (isOfBytes(arg)) error.message = error.message.replaceAll(bytesOf(arg).toString(), () => arg);
    throw error;
  };
  try {
    const value = work();
    return value instanceof Promise ? value.then(next).catch(fail) : next(value);
  } catch (error) {
    return fail(error);
  }
}
