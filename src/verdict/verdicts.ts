import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../atomic-file/replace-file.ts";
import { codeOf, messageOf } from "../bytes/errors.ts";
import { SHA256 } from "../bytes/sha256.ts";
import type { MetaFile } from "../erofs/meta-file.ts";
import type { CheckedImage, Verdicts } from "../fs/open-image.ts";
import { openOwnDirectory } from "../safe-open/own-directory.ts";
import { readBounded } from "../safe-open/read-bounded.ts";
import { thisChecker } from "./checker.ts";
import { decodeVerdict, encodeVerdict } from "./record.ts";

/** Shorter bootstraps are checked in the time that hashing, opening and reading would take. */
const LEAST_BYTES = 1 << 18;
/** Longer ones are not kept: a verdict is a 256th of them, and a list of what to prefetch. */
const MOST_BYTES = 2 ** 28;
const MOST_OF_VERDICT = MOST_BYTES >> 4;
/** Kept; the longest unused go. */
const MOST_VERDICTS = 64;

/** @returns undefined when it is not known which code this is; see KeptVerdicts */
export function verdictsIn(dir: string, say: (message: string) => void): Verdicts | undefined {
  const checker = thisChecker();
  return checker === undefined ? undefined : new KeptVerdicts(dir, checker, say);
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * What earlier checks found, by the sha256 of checker and image: a name never changes its meaning, and another version of the checker
 * finds nothing. Believed where nobody but root and this user may write, on the way there, too.
 */
export class KeptVerdicts implements Verdicts {
  private readonly dir: string;
  private readonly checker: string;
  private readonly say: (message: string) => void;
  /** Of the image that was looked for last. */
  private last: { readonly meta: MetaFile; readonly key: string } | undefined;

  /**
   * @param dir made when there is something to keep
   * @param checker what the code is that checks
   * @param say why something is not kept: that stops nobody
   */
  constructor(dir: string, checker: string, say: (message: string) => void) {
    this.dir = dir;
    this.checker = checker;
    this.say = say;
  }

  find(meta: MetaFile): CheckedImage | undefined {
    if (!isWorthKeeping(meta.size)) return undefined;
    try {
      const dir = openOwnDirectory(this.dir);
      try {
        return read(`/proc/self/fd/${dir}/${this.keyOf(meta)}`);
      } finally {
        closeSync(dir);
      }
    } catch (error) {
      if (codeOf(error) !== "ENOENT") this.say(`${this.dir}: ${messageOf(error)}`);
      return undefined;
    }
  }

  keep(meta: MetaFile, found: CheckedImage): void {
    if (!isWorthKeeping(meta.size)) return;
    try {
      const dir = openOwnDirectory(this.dir, { make: 0o700 });
      try {
        const here = `/proc/self/fd/${dir}`;
        removeOldest(here);
        // A crash may spoil it, which is seen.
        replaceFile(join(here, this.keyOf(meta)), encodeVerdict(found), { mode: 0o600, isDurable: false });
      } finally {
        closeSync(dir);
      }
    } catch (error) {
      this.say(`${this.dir}: ${messageOf(error)}`);
    }
  }

  private keyOf(meta: MetaFile): string {
    if (this.last?.meta === meta) return this.last.key;
    meta.need(0, meta.size);
    const key = createHash("sha256").update(`${this.checker}\n`).update(meta.bytes).digest("hex");
    this.last = { meta, key };
    return key;
  }
}

/** @param bytes of a bootstrap: what is found of others is not kept */
export const isWorthKeeping = (bytes: number): boolean => bytes >= LEAST_BYTES && bytes <= MOST_BYTES;

function read(path: string): CheckedImage | undefined {
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const bytes = fstatSync(fd).isFile() ? readBounded(fd, MOST_OF_VERDICT) : undefined;
    const found = bytes && decodeVerdict(bytes);
    if (found !== undefined) noteUse(fd);
    return found;
  } finally {
    closeSync(fd);
  }
}

/** For `removeOldest`. */
function noteUse(fd: number): void {
  const now = new Date();
  try {
    futimesSync(fd, now, now);
  } catch {} // it lies where nothing is written
}

/** Room for one more, by another process at the same time, too. Only what has a verdict's name is removed. */
function removeOldest(dir: string): void {
  const names = readdirSync(dir).filter((name) => SHA256.test(name));
  if (names.length < MOST_VERDICTS) return;
  const usedAt = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const aged = names.map((name) => join(dir, name)).map((path) => ({ path, at: usedAt(path) }));
  aged.sort((a, b) => a.at - b.at);
  for (const { path } of aged.slice(0, names.length - MOST_VERDICTS + 1)) rmSync(path, { force: true });
}
