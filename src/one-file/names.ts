import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { mountWords } from "./mount-words.ts";

/** The one of them that a file of another name is. */
const DAEMON = "nydusd-ts";
const OTHERS = ["nydus-image-ts", "nydusctl-ts", "nydus-snapshotter-ts"];
/** What mount(8) runs. */
const HELPER = "mount.nydusd-ts";

/** What is to be run. */
export interface Called {
  readonly program: string;
  /** The path by which it can be run again: a link then leads to the version that is installed then. */
  readonly path: string;
  /** undefined: mount(8) wants nothing to be done. */
  readonly words: readonly string[] | undefined;
}

/**
 * Which of the programs that are in the file is meant: the one whose name it was called by, or else the one that the first word
 * names. A program that starts itself again says its own path first, as Node's programs do.
 *
 * @param name argv[0]
 * @param words after it
 * @param file the executable, without links
 */
export function calledBy(name: string, words: readonly string[], file: string): Called {
  const path = pathOf(name, file);
  const own = basename(path);
  const rest = words[0] === path ? words.slice(1) : words;
  if (own === HELPER) return { program: DAEMON, path: pathFor(DAEMON, path, file), words: mountWords(rest) };
  if (own === DAEMON || OTHERS.includes(own)) return { program: own, path, words: rest };
  const named = OTHERS.find((each) => rest[0] !== undefined && basename(rest[0]) === each);
  if (named !== undefined) return { program: named, path, words: rest.slice(1) };
  return { program: DAEMON, path, words: rest[0] === DAEMON ? rest.slice(1) : rest };
}

/**
 * Where a program of this file can be run by: its link beside the one that was called; else the file, which is the daemon; for others a
 * name that the file knows as its first word.
 *
 * @param path the one that was called
 * @param file the executable, without links
 */
export function pathFor(program: string, path: string, file: string): string {
  const link = join(dirname(path), program);
  return program !== DAEMON || leadsTo(link, file) ? link : file;
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
    return true;
  } catch {
    return false;
  }
}
