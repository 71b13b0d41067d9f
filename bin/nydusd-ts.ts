#!/usr/bin/env node
import "../src/path-bytes/program.ts";
import { Command } from "commander";
import { messageOf, UsageError } from "../src/bytes/errors.ts";
import { versionText } from "../src/daemon/version.ts";
import { doneWith, ownKeeper } from "../src/handover/keeper.ts";
import { addCache } from "./cache.ts";
import { caller } from "./caller.ts";
import { type CommandLine, commandLine } from "./command-line.ts";
import { addCommit } from "./commit.ts";
import { addCompletion } from "./completion.ts";
import { withExamples, withHelpStyle } from "./help.ts";
import { addLs } from "./ls.ts";
import { addMountCommands } from "./mount.ts";
import { addNbd } from "./nbd.ts";
import { runProgram } from "./run-program.ts";
import { say, sayLine } from "./say.ts";
import { addTrace } from "./trace.ts";

/** `nydusd-ts`: mounts a TARFS image and serves it. No logic lives here. */
const program = withHelpStyle(new Command("nydusd-ts"))
  .description("mount a container image straight from its tar files")
  .version(versionText(), "-V, --version")
  .enablePositionalOptions()
  .exitOverride();

let line: CommandLine = { args: [], isPlain: false };
const fuse = addMountCommands(program, () => line.isPlain);

withExamples(program.command("umount <dir>"), "nydusd-ts umount /mnt/rootfs")
  .description("unmount an image and what was written over it; its daemon ends")
  .action(async (dir: string) => {
    const { unmountImage } = await import("../src/daemon/unmount-image.ts");
    sayLine(await unmountImage(dir));
  });

addCommit(program);
addLs(program);
addNbd(program);
addCache(program);
addTrace(program);
addCompletion(program);

withExamples(program.command("doctor"), "nydusd-ts doctor --json")
  .description("say what this host can do, and what to change")
  .option("--json", "as JSON", false)
  .action(async ({ json }: { json: boolean }) => {
    const { examineHost } = await import("../src/doctor/examine.ts");
    const { findingsText } = await import("../src/doctor/findings-text.ts");
    const { findings, hasDriver } = await examineHost();
    say(json ? JSON.stringify(findings, null, 2) : findingsText(findings));
    process.exitCode = hasDriver ? 0 : 1;
  });

withExamples(
  program,
  "nydusd-ts mount image.boot /mnt/rootfs        the tars lie beside the bootstrap",
  "nydusd-ts mount base.tar app.tar.gz /mnt/rootfs",
  "nydusd-ts mount saved.tar /mnt/rootfs --ref app:1.0",
  "nydusd-ts umount /mnt/rootfs",
  "nydusd-ts doctor                              what this host can do",
);
const mountOptions = () =>
  fuse.helpInformation().replace(/^.*?\nOptions:/s, "\nOptions of fuse, which need not be named:");
program.addHelpText("after", mountOptions);
process.stdout.on("error", () => {}); // a reader of our output that went away is no reason to stop serving

await runProgram(
  () => {
    if (process.argv[2] === undefined) program.help({ error: true });
    line = commandLine(program, process.argv.slice(2));
    return program.parseAsync(line.args, { from: "user" });
  },
  (error) => {
    const status = error instanceof UsageError ? 2 : 1;
    caller?.failed(messageOf(error), status);
    return status;
  },
);
// What a process could not begin will not be better the next time; what it could not go on with may.
if (ownKeeper?.role === "first" && Number(process.exitCode ?? 0) < doneWith(0))
  process.exitCode = doneWith(Number(process.exitCode ?? 0));
