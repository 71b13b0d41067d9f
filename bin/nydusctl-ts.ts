#!/usr/bin/env node
import "../src/path-bytes/program.ts";
import { Command } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import { Client } from "../src/ctl/client.ts";
import { FILES, INFO, LATEST, LISTS, query, METRICS, watch, watchBackend } from "../src/ctl/commands.ts";
import { type MountFlags, mountImage, unmountImage } from "../src/ctl/mount.ts";
import { upgrade } from "../src/ctl/upgrade.ts";
import { versionText } from "../src/daemon/version.ts";
import { integer } from "./parse-values.ts";
import { runProgram } from "./run-program.ts";

interface ProgramFlags {
  readonly sock: string;
  readonly raw: boolean;
  readonly id?: string;
}

/** `nydusctl-ts`: asks a running daemon, ours or nydusd. No logic lives here. */
const program = new Command("nydusctl-ts")
  .description("ask and steer a daemon through its management API")
  .version(versionText(), "-V, --version")
  .requiredOption("-S, --sock <path>", "the daemon's --apisock")
  .option("-r, --raw", "print answers as the JSON that they are", false)
  .option("--id <mountpoint>", "of which image, where a daemon has several")
  .exitOverride();

const say = (text: string): void => {
  process.stdout.write(text);
};
const programFlags = () => program.opts<ProgramFlags>();
const showOptions = () => ({ isRaw: programFlags().raw, id: programFlags().id });
const client = () => new Client(programFlags().sock);
const show = async (asked: Parameters<typeof query>[1]) => say(await query(client(), asked, showOptions()));
const seconds = integer(1, 86_400);

program
  .command("info")
  .description("what the daemon is, and what it serves")
  .action(() => show(INFO));

program
  .command("set")
  .description("change a setting of the daemon")
  .command("log-level <level>")
  .description("error, warn, info, debug, trace or off")
  .action(async (level: string) => {
    await client().put("v1/daemon", { log_level: level });
  });

const metrics = program.command("metrics").description("counts and times");
for (const [name, asked] of Object.entries(METRICS))
  metrics
    .command(name)
    .option("-I, --interval <seconds>", "again and again", seconds)
    .action(async ({ interval }: { interval?: number }) => {
      const { isRaw, id } = showOptions();
      if (interval === undefined) await show(asked);
      else if (name === "backend" && !isRaw) await watchBackend(client(), { seconds: interval, id }, say);
      else await watch(client(), asked, { isRaw, id, seconds: interval }, say);
    });

program
  .command("watch")
  .description("metrics fsstats, again and again")
  .option("-I, --interval <seconds>", "how often", seconds, 2)
  .option("-n, --times <n>", "how many times", integer(1, 1 << 30))
  .action(({ interval, times }: { interval: number; times?: number }) =>
    watch(client(), METRICS.fsstats, { ...showOptions(), seconds: interval, times }, say),
  );

for (const [name, asked] of Object.entries(LISTS))
  program
    .command(name)
    .description(asked.about)
    .action(() => show(asked));
program
  .command("files")
  .description("counts by file, where the daemon keeps them (the daemon's --file-stats)")
  .option("--latest", "only inodes that were read since this was asked last")
  .action(({ latest }: { latest?: true }) => show(latest ? LATEST : FILES));

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

process.stdout.on("error", () => process.exit(0)); // the reader has seen enough

await runProgram(
  () => program.parseAsync(),
  (error) => (error instanceof UsageError ? 2 : 1),
);
