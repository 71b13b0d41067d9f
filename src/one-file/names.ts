import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { mountWords } from "./mount-words.ts";

/** The one of them that a file of another name is. */
const DAEMON = "nydusd-ts";
const OTHERS = ["nydus-image-ts", "nydusctl-ts", "nydus-snapshotter-ts"];
/** What mount(8) runs. */
const HELPER = "mount.nydusd-ts";
const NAMES = [DAEMON, ...OTHERS, HELPER];

/** What is to be run. */
export interface Called {
  readonly program: string;
  /** The path by which it can be run again: a link then leads to the version that is installed then. */
  readonly path: string;
  /** The first word after that path when it is run again. The path as a rule: Node's programs say their own, too. */
  readonly script: string;
  /** undefined: mount(8) wants nothing to be done. */
  readonly words: readonly string[] | undefined;
}

/**
 * Which of the programs that are in the file is meant: the one whose name it was called by, or else the one that the first word
 * names. That names the daemon, too, where the file itself has the name of another.
 *
 * @param name argv[0]
 * @param words after it
 * @param file the executable, without links
 */
export function calledBy(name: string, words: readonly string[], file: string): Called {
  const found = pathOf(name, file);
  const own = [basename(name), basename(found)].find((each) => NAMES.includes(each));
  const rest = words[0] === found ? words.slice(1) : words;
  const path = own === HELPER ? pathFor(DAEMON, found, file) : found;
  const { program, words: left } = meantBy(own, rest);
  const isByPath = meantBy(basename(path), []).program === program;
  return { program, path, script: isByPath ? path : program, words: left };
}

/** @param own the name that it was called by, if that is one */
function meantBy(own: string | undefined, words: readonly string[]): Pick<Called, "program" | "words"> {
  if (own === HELPER) return { program: DAEMON, words: mountWords(words) };
  const [first = "", ...rest] = words;
  if (own === DAEMON) return { program: DAEMON, words };
  if (first === DAEMON) return { program: DAEMON, words: rest };
  if (own !== undefined && OTHERS.includes(own)) return { program: own, words };
  const named = OTHERS.find((each) => basename(first) === each);
  return named === undefined ? { program: DAEMON, words } : { program: named, words: rest };
}

/**
 * Where a program of this file can be run by: its link beside the one that was called; else the file; for others than the daemon
 * a name that the file knows as its first word.
 *
 * @param path the one that was called
 * @param file the executable, without links
 */
function pathFor(program: string, path: string, file: string): string {
  const link = join(dirname(path), program);
  return program !== DAEMON || leadsTo(link, file) ? link : file;
}

/** As `pathFor`. @returns with the program as its fragment where the path means another: it is the first word, then */
export function urlFor(program: string, path: string, file: string): URL {
  const where = pathFor(program, path, file);
  const url = pathToFileURL(where);
  if (meantBy(basename(where), []).program !== program) url.hash = program;
  return url;
}

/** The shell says a path, or a word that it has found in PATH; whoever runs it may say anything. */
function pathOf(name: string, file: string): string {
  if (name.includes("/")) {
    const path = resolve(name);
    return leadsTo(path, file) ? path : file;
  }
  for (const dir of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = resolve(dir, name);
    if (isExecutable(path)) return leadsTo(path, file) ? path : file;
  }
  return file;
}

const leadsTo = (path: string, file: string): boolean => existsSync(path) && realpathSync(path) === file;

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
