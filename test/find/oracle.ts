import { spawnSync } from "node:child_process";
import fc from "fast-check";
import type { Made } from "../mkfs/emit.ts";

/** For a tar, whose names are bytes. */
const utf8 = (text: string): string => Buffer.from(text).toString("latin1");

/** Names that a shell, a terminal, a pattern or a line could take for something else. */
const NAMES = ["a", "b.txt", "-rf", "n\n\\x0a", "\u001b[31m", utf8("é"), "[!a]*", ".e"];
const DEEP = 3;

/** A tree as entries of a tar: all types, few values, names shared between files. */
export const tree: fc.Arbitrary<readonly Made[]> = fc.infiniteStream(fc.nat(1 << 20)).map((stream) => {
  const below = (n: number) => (stream.next().value as number) % n;
  const pick = <T>(all: readonly T[]): T => all[below(all.length)] as T;
  const files: string[] = [];
  const at = (above: string, depth: number): Made[] =>
    NAMES.flatMap((name): Made[] => {
      const path = above + name;
      const owner = { uid: below(3), gid: below(3), mtime: 1_600_000_000 + 43_200 * below(5) };
      const kind = below(12);
      if (kind < 3 && depth < DEEP)
        return [
          { name: `${path}/`, type: "5", mode: pick([0o755, 0o2775, 0o1777]), ...owner },
          ...at(`${path}/`, depth + 1),
        ];
      if (kind < 6) {
        files.push(path);
        const data = "x".repeat(pick([0, 1, 512, 513, 1024, 2049]));
        return [{ name: path, data, mode: pick([0o644, 0o4755, 0o600, 0]), ...owner }];
      }
      if (kind === 6 && files.length > 0) return [{ name: path, type: "1", link: pick(files) }];
      const up = depth > 1 ? ["../a", "../b.txt/."] : [];
      if (kind === 7)
        return [
          {
            name: path,
            type: "2",
            link: pick(["a", "b.txt", utf8("é/"), "a/./a", "none", ...up]),
            mode: 0o777,
            ...owner,
          },
        ];
      return kind === 8 ? [{ name: path, type: "6", ...owner }] : [];
    });
  return at("", 1);
});

/** A predicate in our words, and in those of find(1). */
export type Both = readonly [option: string, value: string, gnu: readonly string[]];

const signed = (numbers: readonly number[]) =>
  fc.tuple(fc.constantFrom("", "+", "-"), fc.constantFrom(...numbers)).map(([sign, n]) => `${sign}${n}`);
const globs = fc.constantFrom(
  "a",
  "*",
  "?",
  "*.txt",
  "[a-é]",
  "[!a]*",
  "\\[!a]\\*",
  "*n*",
  "-*",
  "*[[:digit:]]*",
  "[",
  "*\\\\x0a",
);
/** A directory's size is what the file system likes. */
const noDirectory = (...words: readonly string[]) => ["(", "!", "-type", "d", ...words, ")"];

const plain: fc.Arbitrary<Both> = fc.oneof(
  globs.map((glob): Both => ["--name", glob, ["-name", glob]]),
  fc.constantFrom("A", "*.TXT", "É", "[A-C]*").map((glob): Both => ["--iname", glob, ["-iname", glob]]),
  globs.map((glob): Both => ["--path", `/*/${glob}`, ["-path", `./*/${glob}`]]),
  globs.map((glob): Both => ["--lname", glob, ["-lname", glob]]),
  fc.constantFrom(..."fdlp").map((type): Both => ["--type", type, ["-type", type]]),
  fc
    .tuple(signed([0, 1, 2, 3, 512, 1024]), fc.constantFrom("c", "w", "b", "k", "M", ""))
    .map(([n, unit]): Both => ["--size", n + unit, noDirectory("-size", n + unit)]),
  fc
    .tuple(fc.constantFrom("", "-", "/"), fc.constantFrom("755", "4000", "22", "0", "6000", "1", "644"))
    .map(([kind, bits]): Both => ["--perm", kind + bits, ["-perm", kind + bits]]),
  signed([0, 1, 2]).map((n): Both => ["--uid", n, ["-uid", n]]),
  signed([0, 1, 2]).map((n): Both => ["--gid", n, ["-gid", n]]),
  signed([1, 2]).map((n): Both => ["--links", n, ["-links", n]]),
  fc
    .constantFrom("@1600000000", "@1600043200", "2020-09-14T00:26:40+02:00", "2020-09-14")
    .map((date): Both => ["--newer", date, ["-newermt", date]]),
);

/** With what is said of them: not, or another one as well. */
const value: fc.Arbitrary<Both> = fc.tuple(plain, fc.nat(3)).map(([both, how]) => {
  const [option, said, gnu] = both;
  if (how === 0) return [option, `!${said}`, ["!", ...gnu]];
  if (how === 1 && option !== "--newer") return [option, `${said},${said.replaceAll(",", "\\,")}`, gnu];
  return both;
});
/** `-xtype l` says nothing of what leads in a circle, and fails. */
const DANGLING = ["(", "-type", "l", "!", "-exec", "test", "-e", "{}", ";", ")"];
const flag: fc.Arbitrary<Both> = fc.constantFrom<Both>(
  ["--empty", "", ["-empty"]],
  ["--dangling", "", DANGLING],
);
const either: fc.Arbitrary<Both> = fc
  .tuple(fc.constantFrom(..."fdlp"), fc.constantFrom(..."fdlp"), fc.boolean())
  .map(([a, b, isNot]): Both => {
    const or = ["(", "-type", a, "-o", "-type", b, ")"];
    return ["--type", `${isNot ? "!" : ""}${a},${b}`, isNot ? ["!", ...or] : or];
  });

/** Several at once, all of which must hold. */
export const question: fc.Arbitrary<readonly Both[]> = fc
  .array(fc.oneof(value, value, flag, either), {
    minLength: 1,
    maxLength: 3,
  })
  .map((all) => (all.some(([option]) => option === "--links") ? [...all, NO_DIRECTORY] : all));
/** How many names a directory has is, too. */
const NO_DIRECTORY: Both = ["--type", "!d", ["!", "-type", "d"]];

/** Paths from the root that GNU find finds in a directory, sorted. */
export function gnuFind(root: string, gnu: readonly string[]): string[] {
  const env = { PATH: process.env["PATH"], TZ: "UTC", ["LC_ALL"]: "C.UTF-8" };
  const words = [".", "-mindepth", "1", ...gnu, "-printf", "/%P\\0"];
  const { status, stdout, stderr } = spawnSync("find", words, { cwd: root, env, encoding: "latin1" });
  if (status !== 0) throw new Error(`find ${words.join(" ")}: ${stderr}`);
  return stdout.split("\0").filter(Boolean).sort();
}
