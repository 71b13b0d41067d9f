#!/usr/bin/env node
import "../src/path-bytes/program.ts";
import { Command } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import { Client } from "../src/ctl/client.ts";
import {
  FILES,
  INFO,
  LATEST,
  LISTS,
  METRICS,
  query,
  repeat,
  type ShowOptions,
  watchBackend,
  watchRates,
} from "../src/ctl/commands.ts";
import { type MountFlags, mountImage, unmountImage } from "../src/ctl/mount.ts";
import { upgrade } from "../src/ctl/upgrade.ts";
import { versionText } from "../src/daemon/version.ts";
import { addCompletion } from "./completion.ts";
import { withExamples, withHelpStyle } from "./help.ts";
import { integer } from "./parse-values.ts";
import { endWithOutput, runProgram } from "./run-program.ts";
import { print as say } from "./say.ts";

interface ProgramFlags {
  /** Asked for when it is used: completion and help do without. */
  readonly sock?: string;
  readonly raw: boolean;
  readonly id?: string;
}

/** `nydusctl-ts`: asks a running daemon, ours or nydusd. No logic lives here. */
const program = withHelpStyle(new Command("nydusctl-ts"), true)
  .description("ask and steer a daemon through its management API")
  .version(versionText(), "-V, --version")
  .option("-S, --sock <path>", "the daemon's --apisock (required)")
  .option("-r, --raw", "print answers as the JSON that they are", false)
  .option("--id <mountpoint>", "of which image, where a daemon has several")
  .exitOverride();

const programFlags = () => program.opts<ProgramFlags>();
/** @throws UsageError */
function client(): Client {
  const { sock } = programFlags();
  if (sock === undefined) throw new UsageError("which daemon? want -S, --sock <path>: its --apisock");
  return new Client(sock);
}

/** Commands that show what is asked of the daemon, and of one image of several. */
const showing = new Set<Command>();
const ofImage = new Set<Command>();
const answers = (command: Command, isOfImage: boolean): Command => {
  showing.add(command);
  if (isOfImage) ofImage.add(command);
  return command.option("--json", "as JSON, for programs", false);
};
program.hook("preAction", (_, command) => {
  const { raw, id } = programFlags();
  const name = command.name();
  if (raw && !showing.has(command))
    throw new UsageError(`--raw has no meaning with ${name}: it shows no answer`);
  if (id !== undefined && !ofImage.has(command))
    throw new UsageError(`--id has no meaning with ${name}: it asks about no single image`);
});

interface JsonFlag {
  readonly json: boolean;
}
const showOptions = ({ json }: JsonFlag): ShowOptions => {
  const { raw, id } = programFlags();
  return { json: raw ? "line" : json ? "text" : undefined, id };
};
const show = async (asked: Parameters<typeof query>[1], flags: JsonFlag) =>
  say(await query(client(), asked, showOptions(flags)));
const seconds = integer(1, 86_400);

answers(program.command("info"), false)
  .description("what the daemon is, and what it serves")
  .action((flags: JsonFlag) => show(INFO, flags));

program
  .command("set")
  .description("change a setting of the daemon")
  .command("log-level")
  .description("how much the daemon logs from now on")
  .argument("<level>", "error, warn, info, debug, trace or off")
  .action(async (level: string) => {
    await client().put("v1/daemon", { log_level: level });
  });

const metrics = program.command("metrics").description("counts and times");
for (const [name, asked] of Object.entries(METRICS))
  answers(metrics.command(name), true)
    .description(asked.about)
    .option("-I, --interval <seconds>", "again and again", seconds)
    .action(async ({ interval, ...flags }: JsonFlag & { interval?: number }) => {
      const { json, id } = showOptions(flags);
      if (interval === undefined) await show(asked, flags);
      else if (name === "backend" && json === undefined)
        await watchBackend(client(), { seconds: interval, id }, say);
      else await repeat(client(), asked, { json: json && "line", id, seconds: interval }, say);
    });

answers(program.command("watch"), true)
  .description("what is asked of the daemon, a line for each interval")
  .option("-I, --interval <seconds>", "how often", seconds, 2)
  .option("-n, --times <n>", "how many lines", integer(1, 1 << 30))
  .action(({ interval, times, ...flags }: JsonFlag & { interval: number; times?: number }) => {
    const { json, id } = showOptions(flags);
    const options = { id, seconds: interval, times };
    return json === undefined
      ? watchRates(client(), options, say)
      : repeat(client(), METRICS.fsstats, { ...options, json: "line" }, say);
  });

for (const [name, asked] of Object.entries(LISTS))
  answers(program.command(name), asked.ofDaemon !== true)
    .description(asked.about)
    .action((flags: JsonFlag) => show(asked, flags));
answers(program.command("files"), true)
  .description("counts by file, where the daemon keeps them (the daemon's --file-stats)")
  .option("--latest", "only inodes that were read since this was asked last")
  .action(({ latest, ...flags }: JsonFlag & { latest?: true }) => show(latest ? LATEST : FILES, flags));

for (const [name, method, about] of [
  ["mount", "POST", "show an image at a path within the daemon's mount"],
  ["remount", "PUT", "replace an image in place, while it is read"],
] as const)
  program
    .command(name)
    .description(about)
    .requiredOption("-s, --source <bootstrap>", "the image")
    .requiredOption("-m, --mountpoint <path>", "where, / being all of the mount")
    .option("-c, --config <file>", "nydusd configuration that says where the tars are")
    .option("-t, --type <type>", "rafs is all there is", "rafs")
    .option("--prefetch-files <path...>", "warm the tars of these files of the image", [])
    .action((flags: MountFlags) => mountImage(client(), method, flags));

program
  .command("umount [path]")
  .description("take an image away; processes inside are served until they leave")
  .option("-m, --mountpoint <path>", "where it is; nydusctl 2.2 takes it without -m")
  .action((path: string | undefined, { mountpoint = path }: { mountpoint?: string }) => {
    if (mountpoint === undefined) throw new UsageError("umount: want -m <path>");
    return unmountImage(client(), mountpoint);
  });

program
  .command("upgrade")
  .description("hand over to the version that is installed now; processes inside notice nothing")
  .action(async () => say(await upgrade(client())));

for (const [name, about] of [
  ["start", "begin to serve, where a daemon waits for that"],
  ["exit", "end the daemon"],
] as const)
  program
    .command(name)
    .description(about)
    .action(async () => {
      await client().put(`v1/daemon/${name}`);
    });

addCompletion(program);

const S = "nydusctl-ts -S /run/images.sock";
const EXAMPLES: Readonly<Record<string, string>> = {
  info: `${S} info --json`,
  "log-level": `${S} set log-level debug`,
  backend: `${S} --id /shop/v1 metrics backend -I 2`,
  cache: `${S} metrics cache`,
  fsstats: `${S} --id /shop/v1 metrics fsstats`,
  watch: `${S} watch -I 5`,
  events: `${S} events`,
  pattern: `${S} --id /shop/v1 pattern`,
  inflight: `${S} inflight`,
  files: `${S} --id /shop/v1 files --json`,
  mount: `${S} mount -m /shop/v1 -s layers/v1.boot`,
  remount: `${S} remount -m /shop/v1 -s layers/v2.boot -c config.json`,
  umount: `${S} umount /shop/v1`,
  upgrade: `${S} upgrade`,
  start: `${S} start`,
  exit: `${S} exit`,
};
for (const command of program.commands.flatMap((each) => [each, ...each.commands])) {
  const example = EXAMPLES[command.name()];
  if (example !== undefined) withExamples(command, example);
}
withExamples(program, `${S} info`, `${S} mount -m /shop/v1 -s layers/v1.boot`, `${S} watch`);

endWithOutput((isReaderGone) => (isReaderGone ? 0 : 1));

await runProgram(
  () => (process.argv.length === 2 ? program.help({ error: true }) : program.parseAsync()),
  (error) => (error instanceof UsageError ? 2 : 1),
);
