#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { messageOf, UsageError } from "../src/bytes/errors.ts";
import { daemonize } from "../src/daemon/daemonize.ts";
import { runDaemon } from "../src/daemon/run.ts";
import { unmountImage } from "../src/daemon/unmount-image.ts";
import { versionText } from "../src/daemon/version.ts";
import { addMountOptions, daemonOptions, type MountFlags } from "./options.ts";

/** `nydusd-ts`: mounts a TARFS image and serves it. No logic lives here. */
const program = new Command("nydusd-ts")
  .description("mount a container image straight from its tar files")
  .version(versionText(), "-V, --version")
  .enablePositionalOptions()
  .exitOverride();

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function mount(flags: MountFlags): Promise<void> {
  if (flags.daemonize) await daemonize(say);
  else process.exitCode = await runDaemon(await daemonOptions(flags), ready);
}

function ready(facts: string): void {
  say(`ready ${facts}`);
  process.send?.({ ready: facts });
  if (process.connected) process.disconnect();
}

const EXAMPLES = `
Examples:
  nydusd-ts --bootstrap image.boot --blob-dir /var/lib/layers --mountpoint /mnt/rootfs
  nydusd-ts mount image.boot /mnt/rootfs        the tars lie beside the bootstrap
  nydusd-ts -B image.boot --blob 1=layer.tar -M /mnt/rootfs --daemonize --pid-file /run/rootfs.pid
  nydusd-ts umount /mnt/rootfs`;

const fuse = addMountOptions(
  program
    .command("fuse", { isDefault: true })
    .description("mount an image and serve it in the foreground (also without naming the command)")
    .requiredOption("-B, --bootstrap <file>", "the image: RAFS v6 bootstrap, EROFS image or flattened disk")
    .requiredOption("-M, --mountpoint <dir>", "directory to mount on"),
);
fuse.action((flags: MountFlags) => mount(flags));

addMountOptions(
  program
    .command("mount <bootstrap> <dir>")
    .description("short form: the tars are found beside the bootstrap unless options say otherwise"),
).action((bootstrap: string, mountpoint: string, flags: MountFlags) =>
  mount({ ...flags, bootstrap, mountpoint }),
);

program
  .command("umount <dir>")
  .description("unmount an image; its daemon ends")
  .action(async (dir: string) => say(await unmountImage(dir)));

const mountOptions = () => fuse.helpInformation().replace(/^.*?\nOptions:/s, "\nOptions of fuse and mount:");
program.addHelpText("after", () => mountOptions() + EXAMPLES);
process.stdout.on("error", () => {}); // a reader of our output that went away is no reason to stop serving

try {
  await program.parseAsync();
} catch (error) {
  // commander has said what is wrong with a command line, and prints help and version by throwing, too.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`Error: ${messageOf(error)}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
