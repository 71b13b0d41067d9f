import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { OperationalError } from "../src/bytes/errors.ts";
import { withExamples } from "./help.ts";
import { print, say, sayLine } from "./say.ts";

const UNITS = ["nydus-snapshotter-ts.socket", "nydus-snapshotter-ts.service"];
const PACKAGED = "ExecStart=/usr/bin/nydus-snapshotter-ts";
/** A word that is itself in a unit. */
const PLAIN = /^[\w@/.+-]+$/;
/** What systemd takes in the path of no program, however it is quoted. Source: systemd, string_is_safe. */
const UNSAFE = /[\p{Cc}"'\\]/u;

/** `nydus-snapshotter-ts install`: units of systemd that start this very program. */
export function addInstall(program: Command): void {
  withExamples(program.command("install"), "nydus-snapshotter-ts install --dry-run")
    .description("write the units of systemd that start this program when containerd calls it")
    .option("--dry-run", "print them, write nothing", false)
    .option("--prefix <dir>", "where they go: <dir>/etc/systemd/system", "/")
    .action(({ dryRun, prefix }: { dryRun: boolean; prefix: string }) => {
      const to = join(prefix, "etc/systemd/system");
      if (!dryRun) mkdirSync(to, { recursive: true });
      for (const unit of UNITS) {
        const path = join(to, unit);
        const text = textOf(unit);
        if (dryRun) print(`# ${path}\n${text}\n`);
        else {
          writeFileSync(path, text);
          sayLine(path);
        }
      }
      if (!dryRun) say("next: systemctl daemon-reload && systemctl enable --now nydus-snapshotter-ts.socket");
    });
}

function textOf(unit: string): string {
  const script = fileURLToPath(new URL("../../bin/nydus-snapshotter-ts.mjs", import.meta.url));
  // A program's path has no variables, an argument has.
  const command = `${quoted(programPath())} ${quoted(script).replaceAll("$", "$$$$")}`;
  return readFileSync(new URL(`../../docs/systemd/${unit}`, import.meta.url), "utf8").replace(
    PACKAGED,
    () => `ExecStart=${command}`,
  );
}

function programPath(): string {
  if (UNSAFE.test(process.execPath))
    throw new OperationalError(
      `${process.execPath}: systemd takes no program in whose path is a quotation mark, a backslash or a control character`,
    );
  return process.execPath;
}

/**
 * As systemd reads a word of a command: systemd.syntax(7), Quoting, and systemd.unit(5), Specifiers. Backslashes are in none:
 * Node runs no module in whose path is one.
 */
const quoted = (word: string): string =>
  PLAIN.test(word)
    ? word
    : `"${word
        .replaceAll('"', '\\"')
        .replace(/\p{Cc}/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
        .replaceAll("%", "%%")}"`;
