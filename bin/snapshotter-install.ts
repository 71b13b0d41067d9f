import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { OperationalError } from "../src/bytes/errors.ts";
import { withExamples } from "./help.ts";
import { print, say, sayLine } from "./say.ts";

const UNITS = ["nydus-snapshotter-ts.socket", "nydus-snapshotter-ts.service"];
const PACKAGED = "ExecStart=/usr/bin/nydus-snapshotter-ts";
/** A path that is itself in a unit: systemd has a quoting of its own for the others. */
const PLAIN = /^[\w@/.+-]+$/;

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
  const command = [
    process.execPath,
    fileURLToPath(new URL("../../bin/nydus-snapshotter-ts.mjs", import.meta.url)),
  ];
  const odd = command.find((path) => !PLAIN.test(path));
  if (odd !== undefined)
    throw new OperationalError(`${odd}: a unit can only name a path of letters, digits and @/.+-_`);
  return readFileSync(new URL(`../../docs/systemd/${unit}`, import.meta.url), "utf8").replace(
    PACKAGED,
    `ExecStart=${command.join(" ")}`,
  );
}
