import { UsageError } from "../bytes/errors.ts";

/** What a word after `-o` is for. */
export type WordKind =
  /** The mount itself, whatever is mounted: the kernel gets it, whichever driver. */
  | "mount"
  /** mount(8), fstab and systemd: whoever reads those; the kernel never sees it. */
  | "mount8"
  /** A file system of the kernel, by name. */
  | "fuse"
  | "erofs"
  /** Any file system: security labels. */
  | "any"
  /** None of these: perhaps an option of ours. */
  | "other";

const KINDS: readonly (readonly [kind: WordKind, words: readonly string[]])[] = [
  ["mount", ["ro", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "symfollow", "nosymfollow"]],
  ["mount", ["atime", "noatime", "relatime", "norelatime", "strictatime", "nostrictatime"]],
  ["mount", ["diratime", "nodiratime"]],
  // mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS": what it says of writing says nothing of an image.
  ["mount8", ["defaults", "auto", "noauto", "nofail", "_netdev", "_rnetdev", "users", "nousers", "nouser"]],
  ["mount8", ["user", "owner", "noowner", "group", "nogroup", "async", "sync", "dirsync", "nodirsync"]],
  [
    "mount8",
    ["lazytime", "nolazytime", "mand", "nomand", "iversion", "noiversion", "silent", "loud", "quiet"],
  ],
  ["mount8", ["allow_suid", "allow_dev"]],
  ["fuse", ["allow_other", "default_permissions", "max_read="]],
  ["erofs", ["user_xattr", "nouser_xattr", "acl", "noacl", "cache_strategy=", "dax", "dax=", "directio"]],
  ["any", ["context=", "fscontext=", "defcontext=", "rootcontext=", "seclabel"]],
];
const KIND_OF = new Map(KINDS.flatMap(([kind, words]) => words.map((word) => [word, kind] as const)));
/** Comments to everyone but the one they are for. */
const COMMENT = /^(x-|X-|comment=)/;

/** @param word with its value */
export function kindOf(word: string): WordKind {
  if (COMMENT.test(word)) return "mount8";
  const cut = word.indexOf("=");
  return KIND_OF.get(cut < 0 ? word : word.slice(0, cut + 1)) ?? "other";
}

/** What mount(8) has follow from a word, unless a later one says otherwise. */
const IMPLIED: Readonly<Record<string, readonly string[]>> = {
  user: ["noexec", "nosuid", "nodev"],
  users: ["noexec", "nosuid", "nodev"],
  owner: ["nosuid", "nodev"],
  group: ["nosuid", "nodev"],
  // mount(8) passes on neither suid nor dev: to it they are what is so anyhow.
  allow_suid: ["suid"],
  allow_dev: ["dev"],
};

/** What drivers are told of mount(8)'s words: what follows from them. */
export const withoutMount8 = (words: readonly string[]): string[] =>
  words.flatMap((word) => (kindOf(word) === "mount8" ? (IMPLIED[word] ?? []) : [word]));

/** @throws UsageError naming a word that this driver does not know, and another one does */
export function mustKnow(driver: "fuse" | "erofs", words: readonly string[]): void {
  const other = driver === "fuse" ? "erofs" : "fuse";
  const word = words.find((each) => kindOf(each) === other);
  if (word !== undefined) throw new UsageError(`-o ${word}: for the driver ${other} only`);
}

/**
 * A list as after `-o`: words with commas between them. A comma that is no end of a word stands within double quotes, as
 * mount(8) has it, or behind a backslash, as libfuse.
 */
export function splitWords(list: string): string[] {
  const words: string[] = [];
  let word = "";
  let isQuoted = false;
  for (const [piece] of list.matchAll(/\\[\\,"]|[\s\S]/gu)) {
    if (piece.length === 2 && piece.startsWith("\\")) word += piece[1];
    else if (piece === '"') isQuoted = !isQuoted;
    else if (piece === "," && !isQuoted) {
      words.push(word);
      word = "";
    } else word += piece;
  }
  return [...words, word].filter((each) => each !== "");
}
