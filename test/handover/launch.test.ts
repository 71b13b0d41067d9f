import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, describe, expect, it } from "vitest";
import { addMountOptions, SOURCE_OPTIONS } from "../../bin/mount-options.ts";
import { isKept, type MountFlags } from "../../src/daemon/options-from-flags.ts";

const BIN = fileURLToPath(new URL("../../bin/", import.meta.url));
const SHELLS = ["dash", "bash", "bash --posix"].filter(
  (each) => spawnSync("sh", ["-c", `command -v ${each.split(" ")[0]}`]).status === 0,
);

it("sh is among the shells that are tried", () => expect(SHELLS.length).toBeGreaterThan(1));

/** What is installed, with a `keeper.sh` and a `node` that say that they were run, by which process, and how. */
function installed(): { dir: string; path: string; command: string } {
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-launch-"));
  for (const each of ["bin", "dist/bundle", "path"]) mkdirSync(join(dir, each), { recursive: true });
  copyFileSync(join(BIN, "nydusd-ts.mjs"), join(dir, "bin/nydusd-ts.mjs"));
  copyFileSync(join(BIN, "launch.sh"), join(dir, "dist/bundle/launch.sh"));
  writeFileSync(join(dir, "dist/bundle/keeper.sh"), 'echo "kept $$" "$@"\n');
  const building = `case $1 in */setup.mjs) mv "${dir}/built" "${dir}/dist"; exit ;; esac`;
  writeFileSync(join(dir, "path/node"), `#!/bin/sh\n${building}\necho "alone $$" "$@"\n`);
  chmodSync(join(dir, "path/node"), 0o755);
  return {
    dir,
    path: `${join(dir, "path")}:${process.env["PATH"]}`,
    command: join(dir, "bin/nydusd-ts.mjs"),
  };
}

/** Runs the command by a shell, or by its first line, and gives the words that keeper or node were given. */
function launch(shell: string, command: string, path: string, args: readonly string[]) {
  const [program = "", ...words] = [...shell.split(" ").filter(Boolean), command];
  const { pid, stdout, stderr } = spawnSync(program, [...words, ...args], {
    encoding: "utf8",
    env: { ...process.env, PATH: path },
  });
  const [, how, by, rest] = /^(\w+) (\d+) (.*)\n$/s.exec(stdout) ?? [];
  // The process that was started is the one that stays: no shell waits for it.
  expect([stderr, Number(by)]).toEqual(["", pid]);
  return { how, rest };
}

describe.each(SHELLS)("%s starts nydusd-ts", (shell) => {
  const kept: string[][] = [
    ["-B", "image.boot", "-M", "/mnt"],
    ["--mountpoint", "/mnt", "--apisock", "/s"],
    ["fuse", "-B", "image.boot", "-M", "/mnt"],
    ["mount", "--foreground", "layer.tar", "/mnt"],
    ["mount", "a --user.tar", "/mnt", "--foreground"],
    ["mount", "--foreground", "a --no-keeper b", "/mnt", "--blob", "1=--user"],
    ["mount", "--foreground", "--users", "/mnt"],
    ["mount", "--foreground", "--", "--user", "/mnt"],
    ["mount", "--foreground", "--rw", "--user", "layer.tar", "/mnt"],
    ["mount", "--foreground", "-L", "--help", "layer.tar", "/mnt", "--cache-dir", "--"],
    ["mount", "--foreground", "it's $HOME", '"two  words"', "*", "/mnt"],
  ];
  const alone: string[][] = [
    ["-B", "image.boot", "-M", "/mnt", "--no-keeper"],
    ["-B", "image.boot", "-M", "/mnt", "--user", "nobody"],
    ["mount", "--foreground", "--user=nobody", "layer.tar", "/mnt"],
    ["fuse", "--supervisor", "/s", "-M", "/mnt", "--id", "1", "--apisock", "/t"],
    ["--supervisor=/s", "-M", "/mnt"],
    ["--recover", "-M", "/mnt"],
  ];
  /** What serves nothing, or leaves that to another process, which is started by the flags alone. */
  const others: string[][] = [
    [],
    ["mount", "layer.tar", "/mnt"],
    ["mount", "layer.tar", "/mnt", "--daemonize"],
    ["mount", "--", "--foreground", "/mnt"],
    ["mount", "--rw", "--foreground", "/mnt"],
    ["fuse", "-B", "image.boot", "-M", "/mnt", "--daemonize"],
    ["-V"],
    ["--version"],
    ["--help"],
    ["mount", "-h"],
    ["help", "mount"],
    ["umount", "/mnt"],
    ["doctor", "--json"],
    ["cache", "ls"],
    ["trace", "optimize", "x"],
    ["no-such-command"],
  ];
  const { dir, path, command } = installed();
  afterAll(() => rmSync(dir, { recursive: true }));
  const rows = (commands: readonly string[][]) =>
    commands.map((args) => ({ line: args.join(" ") || "no argument", args }));

  it.each(rows(kept))("below a keeper: $line", ({ args }) => {
    const { how, rest } = launch(shell, command, path, args);
    expect([how, rest]).toEqual(["kept", ["node", "--v8-pool-size=1", command, ...args].join(" ")]);
  });

  it.each(rows([...alone, ...others]))("by itself: $line", ({ args }) => {
    const { how, rest } = launch(shell, command, path, args);
    expect([how, rest]).toEqual(["alone", ["--v8-pool-size=1", command, ...args].join(" ")]);
  });

  it("as the options are, of which it knows those that take a value", () => {
    const options = addMountOptions(new Command(), SOURCE_OPTIONS).options.filter(({ required }) => required);
    const words = [
      ...options.flatMap(({ short, long }) => [short, long]),
      "-B",
      "--bootstrap",
      "-M",
      "--mountpoint",
    ];
    const isNot = new Set(["--user", "--supervisor", "-s", "--shared-dir"]); // which decide, or are refused
    for (const word of words)
      if (word !== undefined && !isNot.has(word))
        expect([word, launch(shell, command, path, ["fuse", word, "--help"]).how]).toEqual([word, "kept"]);
  });

  it("as the flags say, by which what goes to the background decides", () => {
    const flags = (args: readonly string[]): MountFlags => {
      const parser = addMountOptions(new Command().argument("[words...]"), SOURCE_OPTIONS);
      return parser
        .option("-B <x>")
        .option("-M, --mountpoint <x>")
        .option("--users")
        .parse(args, { from: "user" })
        .opts();
    };
    expect(kept.filter((args) => !isKept(flags(args)))).toEqual([]);
    expect(alone.filter((args) => isKept(flags(args)))).toEqual([]);
  });

  it("by a link elsewhere, and without a directory in its name", () => {
    symlinkSync("../bin/nydusd-ts.mjs", join(dir, "path/nydusd-ts"));
    chmodSync(command, 0o755);
    const link = join(dir, "path/nydusd-ts");
    expect(launch("", link, path, ["mount", "--foreground", "a"]).how).toBe("kept");
    expect(launch(shell, link, path, ["umount", "a"]).how).toBe("alone");
    expect(launch(shell, `${dir}/path/../bin/nydusd-ts.mjs`, path, ["mount", "--foreground", "a"]).how).toBe(
      "kept",
    );
    expect(
      launch(`env -C ${dir}/bin ${shell}`, "nydusd-ts.mjs", path, ["mount", "--foreground", "a"]).how,
    ).toBe("kept");
  });

  it("after building it, where it is a clone that was not built", () => {
    renameSync(join(dir, "dist"), join(dir, "built"));
    expect(launch(shell, command, path, ["mount", "--foreground", "a"]).how).toBe("kept");
    rmSync(join(dir, "dist"), { recursive: true }); // and cannot be built
    expect(spawnSync("sh", [command, "--version"], { env: { ...process.env, PATH: path } }).status).toBe(1);
  });
});
