import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bashCompletion } from "../../src/completion/bash.ts";
import { fishCompletion } from "../../src/completion/fish.ts";
import { type CommandWords, placed } from "../../src/completion/words.ts";
import { zshCompletion } from "../../src/completion/zsh.ts";
import { commandWords } from "../docs/programs.ts";
import { needs } from "../support/needs.ts";

const DIR = mkdtempSync(join(tmpdir(), "completion-"));
afterAll(() => rmSync(DIR, { recursive: true }));

let programs: readonly CommandWords[];
beforeAll(async () => {
  programs = await commandWords();
  mkdirSync(join(DIR, "sub dir"));
  writeFileSync(join(DIR, "sub.tar"), "");
  for (const program of programs) {
    writeFileSync(join(DIR, `${program.name}.bash`), bashCompletion(program));
    writeFileSync(join(DIR, `${program.name}.zsh`), zshCompletion(program));
    writeFileSync(join(DIR, `${program.name}.fish`), fishCompletion(program));
  }
});

const has = (shell: string) => spawnSync(shell, ["--version"]).status === 0;
const run = (shell: string, args: readonly string[]) => {
  const { stdout, stderr, status } = spawnSync(shell, args, { cwd: DIR, encoding: "utf8", timeout: 60_000 });
  return { stdout, stderr, status };
};

/** What a word is completed to: `|` is where the cursor is, at the end of the line. */
const rows: readonly (readonly [line: string, offered: string])[] = [
  ["nydusd-ts mo", "mount"],
  ["nydusd-ts cache ", "gc ls"],
  ["nydusd-ts cache ls --j", "--json"],
  ["nydusd-ts mount --driver erofs-", "erofs-file erofs-loop"],
  ["nydusd-ts mount --log-level debug --driver f", "fuse"],
  ["nydusd-ts mount --cache-dir mount --dri", "--driver"],
  ["nydusd-ts --boot", "--bootstrap"], // fuse need not be named
  ["nydusd-ts -M x --log-format j", "json"],
  ["nydusd-ts umount su", "sub dir/"],
  ["nydusd-ts mount sub.", "sub.tar"],
  ["nydusd-ts mount sub.tar su", "sub dir/ sub.tar"],
  ["nydusd-ts completion ", "bash fish zsh"],
  ["nydusd-ts doctor x", ""],
  ["nydus-image-ts create --whiteout-spec over", "overlayfs"],
  ["nydus-image-ts ls sub.", "sub.tar"],
  ["nydus-image-ts unpack --out", "--output"],
  ["nydusctl-ts -S sub.tar me", "metrics"],
  ["nydusctl-ts metrics fs", "fsstats"],
  ["nydusctl-ts set log-level tr", "trace"],
  ["nydusctl-ts metrics fsstats --so", "--sock"], // the program's options count behind its commands
];

describe("bash", () => {
  /** Splits as readline does: at blanks, and at the equals sign. */
  const script = `for f in *.bash; do . "./$f"; done
ask() { # line
  local IFS=$' '; read -ra COMP_WORDS <<<"\${1//=/ = }"; [[ $1 == *' ' || $1 == *= ]] && COMP_WORDS+=('')
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); unset IFS; COMPREPLY=()
  "$(complete -p "\${COMP_WORDS[0]}" | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
  for each in "\${COMPREPLY[@]}"; do [[ -d $each ]] && each=$each/; printf '%s\\n' "$each"; done
}`;
  const ask = (line: string) => {
    const { stdout, stderr, status } = run("bash", ["-c", `${script}\nask "$1"`, "-", line]);
    return { offered: stdout.split("\n").filter(Boolean).sort().join(" "), stderr, status };
  };
  it.each(rows)("%s → %s", (line, offered) => expect(ask(line)).toEqual({ offered, stderr: "", status: 0 }));
  it("completes behind an equals sign", () => {
    expect(ask("nydusd-ts mount --driver=erofs-")).toMatchObject({ offered: "erofs-file erofs-loop" });
    expect(ask("nydusd-ts mount --prefetch-files=sub.")).toMatchObject({ offered: "sub.tar" });
  });
  it("knows each option and each command of all programs", () => {
    const all = programs.flatMap((program) => placed(program));
    const every = `${script}\nfor line; do echo "= $line"; ask "$line"; done`;
    const lines = all.flatMap(({ at }) => [`${at} -`, `${at} `]);
    const { stdout } = run("bash", ["-c", every, "-", ...lines]);
    const offered = new Map(
      stdout.split("= ").map((part) => {
        const [line = "", ...words] = part.split("\n");
        return [line, words.filter(Boolean).sort()];
      }),
    );
    for (const { at, command } of all) {
      const options = command.options.flatMap(({ names }) => names);
      expect([at, offered.get(`${at} -`)]).toEqual([at, options.sort()]);
      if (command.commands.length > 0)
        expect([at, offered.get(`${at} `)]).toEqual([at, command.commands.map(({ name }) => name).sort()]);
    }
    expect(all.length).toBeGreaterThan(35);
  });
});

describe("fish", () => {
  needs(has("fish") ? undefined : "there is no fish");
  const ask = (line: string) => {
    const { stdout, stderr, status } = run("fish", [
      ...["--no-config", "-c", 'for f in *.fish; source $f; end; complete -C "$argv[1]"', line],
    ]);
    const offered = stdout.split("\n").map((each) => each.split("\t")[0] ?? "");
    return { offered: offered.filter(Boolean).sort().join(" "), stderr, status };
  };
  it.each(rows)("%s → %s", (line, offered) => expect(ask(line)).toEqual({ offered, stderr: "", status: 0 }));
});

describe("zsh", () => {
  needs(has("zsh") ? undefined : "there is no zsh");
  /** The script as zsh runs it, without the line editor: what it hands over there is printed. */
  const script = `typeset -A _comps; compdef() { _comps[$2]=$1 }; for f in *.zsh; do . ./$f; done
words=(\${=1}); [[ $1 == *' ' ]] && words+=(''); CURRENT=$#words; typed=$words[CURRENT]
begin() { print -rl -- \${(M)@:#$typed*}; }
compset() { typed=\${typed#*=}; }; compadd() { shift; begin "$@"; }; _message() { :; }
_describe() { begin "\${(@)\${(P@)@[-1]}%%:*}"; }
_files() { if [[ $1 == -/ ]]; then begin *(/N); else begin *(N); fi; }
[[ $_comps[$words[1]] == _* ]] && $_comps[$words[1]]`;
  const ask = (line: string) => {
    const { stdout, stderr } = run("zsh", ["-f", "-c", script, "-", line]);
    return {
      offered: stdout.split("\n").filter(Boolean).sort().join(" ").replace("sub dir", "sub dir/"),
      stderr,
    };
  };
  it.each(rows)("%s → %s", (line, offered) => expect(ask(line)).toEqual({ offered, stderr: "" }));
  it("completes behind an equals sign", () =>
    expect(ask("nydusd-ts mount --driver=erofs-")).toMatchObject({ offered: "erofs-file erofs-loop" }));
});
