#!/usr/bin/env node
import "../src/path-bytes/program.ts";
import { Command } from "commander";
import { MergeError } from "../src/mkfs/merge-error.ts";
import { UsageError } from "../src/bytes/errors.ts";
import { versionText } from "../src/daemon/version.ts";
import { compileLater } from "./compile-later.ts";
import { addCat } from "./cat.ts";
import { addCompletion } from "./completion.ts";
import { addDiff, DIFF_TROUBLE } from "./diff.ts";
import { addDu } from "./du.ts";
import { addExplain } from "./explain.ts";
import { addFind } from "./find.ts";
import { givenOptions } from "./given.ts";
import { warn, warnFrom, withExamples, withHelpStyle } from "./help.ts";
import { addCreate, addMerge } from "./image-build.ts";
import { addExport, addVerify } from "./image-export.ts";
import * as options from "./image-options.ts";
import { endWithOutput, runProgram } from "./run-program.ts";
import { complain, print } from "./say.ts";
import { addTree } from "./tree.ts";

const SIGN_OF_LIFE_MS = 10_000;

compileLater();

type Flags<T> = options.ImageFlags & T;

/** `nydus-image-ts`: builds images and looks at them, without mounting them. No logic lives here. */
const program = options.addLogOptions(
  withHelpStyle(new Command("nydus-image-ts"))
    .description("build, check, inspect and unpack container images that stay tar files")
    .version(versionText(), "-V, --version")
    .enablePositionalOptions()
    .exitOverride(),
);

addCreate(program);
addMerge(program);

const check = program
  .command("check")
  .description("check the whole image, and its tars when they are named")
  .option("-v, --verbose", "print every entry", false)
  .option("-J, --output-json <file>", "write the result there")
  .option("--data", "read all data: each tar has the sha256 that is its id, every file is readable", false)
  .action(
    async (
      image: string | undefined,
      flags: Flags<{ verbose: boolean; outputJson?: string; data: boolean }>,
    ) => {
      const { verbose, outputJson, data } = flags;
      const bootstrap = options.imageOf(image, flags);
      const search = await options.blobSearchOf(flags);
      const version = options.versionWord();
      const { checkImage } = await import("../src/inspect/check.ts");
      await checkImage({ bootstrap, search, data, verbose, outputJson, version }, print);
    },
  );
options.addBlobOption(options.addImageOptions(check));
withExamples(check, "nydus-image-ts check image.boot", "nydus-image-ts check image.boot -D layers --data");

const inspect = program
  .command("inspect")
  .description("look at the tables and the tree, at a prompt or once")
  .option("-R, --request <command>", "one command, e.g. blobs, stats, prefetch, ls, 'stat bin'")
  .action(async (image: string | undefined, flags: Flags<{ request?: string }>) => {
    const bootstrap = options.imageOf(image, flags);
    const { inspectOnce, inspectPrompt } = await import("../src/inspect/inspect.ts");
    if (flags.request === undefined) await inspectPrompt(bootstrap, process.stdin, process.stdout);
    else inspectOnce(bootstrap, flags.request, print);
  });
options.addImageOptions(inspect);
withExamples(inspect, "nydus-image-ts inspect image.boot -R 'stat /etc'");

const stat = program
  .command("stat")
  .description("count files and chunks of an image, and of another one against it")
  .requiredOption("-B, --bootstrap <file>", "the image")
  .option("-T, --target <file>", "the other image")
  .option("-J, --output-json <file>", "write the counts there instead of printing them")
  .action(async (flags: { bootstrap: string; target?: string; outputJson?: string }) => {
    const { statImages } = await import("../src/inspect/stat.ts");
    const { statisticsText } = await import("../src/inspect/stat-text.ts");
    const counts = statImages(flags.bootstrap, flags.target);
    if (flags.outputJson === undefined) print(statisticsText(counts));
    else (await import("../src/inspect/json-file.ts")).writeJson(flags.outputJson, counts);
  });
withExamples(stat, "nydus-image-ts stat -B image.boot -T other.boot");

const ls = program
  .command("ls")
  .description("list the tree, with the place of each file's data in its tar")
  .argument("<bootstrap>", "the image")
  .argument("[path]", "where to begin", "/")
  .option("--json", "one JSON object a line", false)
  .action(async (image: string, path: string, { json }: { json: boolean }) => {
    const { listTree } = await import("../src/inspect/ls.ts");
    listTree(image, path, json, print);
  });
withExamples(ls, "nydus-image-ts ls image.boot /etc");

const unpack = program
  .command("unpack")
  .description("write the merged tree as one tar")
  .requiredOption("--output <tar>", "where to; - for standard output")
  .action(async (image: string | undefined, flags: Flags<{ output: string }>) => {
    const bootstrap = options.imageOf(image, flags);
    const search = (await options.blobSearchOf(flags)) ?? options.besideOf(bootstrap);
    const log = options.logOf(program, flags);
    const { unpackImage } = await import("../src/inspect/unpack.ts"); // the others start sooner without tar-stream
    await unpackImage({ bootstrap, search, output: flags.output, warn: log.warn });
    log.close();
  });
options.addBlobOption(options.addImageOptions(unpack));
withExamples(unpack, "nydus-image-ts unpack image.boot -D layers --output - | tar -tv");
addExport(program);
addVerify(program);
for (const command of program.commands) options.addLogOptions(command); // behind a command's own
// Not nydus-image's: they keep its options in front of the command only.
addExplain(program);
addCat(program);
addDu(program);
addDiff(program);
addFind(program);
addTree(program);
addCompletion(program);

/** A line now and then while a command has nothing to say yet. */
function signOfLife(name: string): void {
  const seconds = () => Math.round(performance.now() / 1000);
  setInterval(() => complain(`${name}:`, `at work for ${seconds()} s`), SIGN_OF_LIFE_MS).unref();
}

/** The exit status of output that cannot be written. */
let trouble = 1;

/** Nothing that is given is ignored in silence. */
program.hook("preAction", (_, command) => {
  if (command.name() === "diff") trouble = DIFF_TROUBLE;
  warnFrom({ ...program.opts<options.LogFlags>(), ...command.opts<options.LogFlags>() }.logLevel);
  const given = new Set([...givenOptions(program).keys(), ...givenOptions(command).keys()]);
  const idle = (options: readonly string[], why: string) => {
    for (const option of options) if (given.has(option)) warn(`${option} has no effect: ${why}`);
  };
  if (command !== unpack) idle(["--log-file"], `${command.name()} keeps no log`);
  if (command === inspect) idle(["--blob-dir", "--config"], "inspect reads no tars");
  // One shows how far it is, and another has nothing to say.
  else if (command.name() !== "create" && !given.has("--quiet")) signOfLife(command.name());
});

endWithOutput(() => trouble);

await runProgram(
  () => (process.argv.length === 2 ? program.help() : program.parseAsync()),
  (error) => (error instanceof UsageError || error instanceof MergeError ? 2 : 1),
);
