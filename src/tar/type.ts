import { SLASH } from "../bytes/name.ts";
import type { EntryKind } from "./entry.ts";
import { headerType } from "./header.ts";

/**
 * Entry types. Source: POSIX pax, `typeflag`; GNU tar `tar.h`; star `xstar.h`; Go's `archive/tar` for which of
 * them have data: only files do, whatever the size field of the others says.
 */
const KINDS: ReadonlyMap<string, EntryKind> = new Map([
  ["\0", "file"],
  ["0", "file"],
  ["1", "hardlink"],
  ["2", "symlink"],
  ["3", "char"],
  ["4", "block"],
  ["5", "directory"],
  ["6", "fifo"],
  ["7", "file"],
  ["D", "directory"],
  ["S", "file"],
]);

/** What the type of a header asks for. */
export interface Type {
  /** One character. */
  readonly letter: string;
  readonly kind: EntryKind;
  /** Whether bytes follow the header, as many as its size says. */
  readonly hasData: boolean;
  /** No format defines it; GNU tar extracts such an entry as a file, and so it is here. */
  readonly isUnknown: boolean;
}

const letters = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
const types: readonly Type[] = letters.map((letter) => {
  const kind = KINDS.get(letter);
  const hasData = kind === undefined || kind === "file" || letter === "D";
  return { letter, kind: kind ?? "file", hasData, isUnknown: kind === undefined };
});

/** v7 had no type for directories, just a slash after the name; Go and Python read their size as 0. */
const V7_DIRECTORY: Type = { letter: "\0", kind: "directory", hasData: false, isUnknown: false };
/** GNU tar extracts it so; its data are skipped. */
const SLASHED_FILE: Type = { letter: "0", kind: "directory", hasData: true, isUnknown: false };

/** There is one for each byte. */
export const typeOf = (h: Uint8Array): Type => types[headerType(h)] as Type;

/** The type when the entry has this path: a file's slash at the end makes it a directory. */
export function typeWithPath(type: Type, path: Uint8Array): Type {
  if (path.length === 0 || path[path.length - 1] !== SLASH) return type;
  if (type.letter === "\0") return V7_DIRECTORY;
  return type.letter === "0" || type.letter === "7" ? SLASHED_FILE : type;
}

/** What cannot be read from one archive alone, or not without guessing. */
export const REFUSED: ReadonlyMap<string, string> = new Map([
  ["M", "goes on from another volume of the archive (type M)"],
  ["N", "is a list of long names as GNU tar wrote it before 1990 (type N)"],
]);

/** Headers that tell of a later one: pax (Sun wrote X before x was agreed on), pax global, GNU's long names; V, the label of a volume, tells nothing. */
export const isExtension = ({ letter }: Type): boolean => "xXgLKV".includes(letter);
