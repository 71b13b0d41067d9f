import { FormatError } from "../bytes/errors.ts";
import { isBlockSize, MAX_SALT } from "./hash-tree.ts";

/** What somebody says of a disk's hash tree; what is not said is found in the disk. Plain, so that it can be written down. */
export interface HashWords {
  /** 64 hex digits. */
  readonly root: string;
  /** Hex digits. */
  readonly salt?: string | undefined;
  readonly dataBlock?: number | undefined;
  readonly dataBlocks?: number | undefined;
  /** Byte of the disk, or of the tree's own file, where tree or superblock begin. */
  readonly hashOffset?: number | undefined;
  /** Path of the file that the tree is in, when it is not the disk. */
  readonly hashFile?: string | undefined;
}

const ROOT = /^[0-9a-f]{64}$/i;
const LINE = /^dm-verity options: (.*)$/m;
const WORD = /"([^"]*)"|[^\s=]+/g;
/** Of words that a reader has to agree with, rather than to use. */
const FIXED: ReadonlyMap<string, string> = new Map([
  ["--format", "1"],
  ["--hash", "sha256"],
  ["--hash-block-size", "4096"],
]);

/** Whether a word is a root digest. */
export const isRoot = (word: string): boolean => ROOT.test(word);

/**
 * Reads a root digest, alone or in the line that an export prints.
 *
 * @param file that the text is from
 * @throws FormatError
 */
export function parseHashWords(text: string, file: string): HashWords {
  const only = text.trim();
  if (isRoot(only)) return { root: only.toLowerCase() };
  const line = LINE.exec(text);
  const words = [...(line?.[1] ?? "").matchAll(WORD)].map(([word, quoted]) => quoted ?? word);
  const fail = (problem: string): never => {
    throw new FormatError(problem, { file, at: line?.index ?? 0 });
  };
  const root = words.pop() ?? "";
  if (!isRoot(root)) fail("no root digest: want 64 hex digits, or the line that export --verity prints");
  const given = new Map<string, string>();
  for (let i = 0; i < words.length; ) {
    const name = words[i++] ?? "";
    if (name !== "--no-superblock") given.set(name, words[i++] ?? fail(`${name} has no value`));
  }
  const number = (name: string): number | undefined => {
    const word = given.get(name);
    if (word === undefined) return undefined;
    const value = Number(word);
    return Number.isSafeInteger(value) && value >= 0 ? value : fail(`${name} ${word}: want a whole number`);
  };
  const salt = given.get("-s");
  if (salt !== undefined && !isSalt(salt)) fail(`-s ${salt}: ${WANT_SALT}`);
  for (const [name, want] of FIXED)
    if ((given.get(name) ?? want) !== want) fail(`${name} ${given.get(name)}: want ${want}`);
  const dataBlock = number("--data-block-size");
  if (dataBlock !== undefined && !isBlockSize(dataBlock))
    fail(`--data-block-size ${dataBlock}: want 512 … 65536`);
  const places = { dataBlock, dataBlocks: number("--data-blocks"), hashOffset: number("--hash-offset") };
  return { root: root.toLowerCase(), salt, ...places };
}

export const WANT_SALT = `want at most ${MAX_SALT} bytes as pairs of hex digits`;
const HEX = /^(?:[0-9a-f]{2})*$/i;

/** Whether a word is a salt, the empty one included. */
export const isSalt = (word: string): boolean => HEX.test(word) && word.length <= 2 * MAX_SALT;
