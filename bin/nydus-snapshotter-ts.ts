#!/usr/bin/env node
import "../src/path-bytes/program.ts";
import { Command, Option } from "commander";
import { versionText } from "../src/daemon/version.ts";
import { LEVELS, type Level } from "../src/log/log-line.ts";
import { openLog } from "../src/log/log.ts";
import { DRIVERS, type Driver } from "../src/mounts/drivers.ts";
import { EXPORT_MODES, type ExportMode } from "../src/snapshotter/export-mode.ts";
import { type SnapshotterOptions, serveSnapshotter } from "../src/snapshotter/serve.ts";
import { addCompletion } from "./completion.ts";
import { withExamples, withHelpStyle } from "./help.ts";
import { address as metricsAddress } from "./parse-values.ts";
import { runProgram } from "./run-program.ts";
import { say } from "./say.ts";
import { withConfig } from "./snapshotter-config.ts";
import { addAls } from "./snapshotter-als.ts";
import { addContentsCommands } from "./snapshotter-contents.ts";
import { addDoctor } from "./snapshotter-doctor.ts";
import { addInstall } from "./snapshotter-install.ts";

interface Flags {
  readonly config?: string;
  readonly root: string;
  readonly address: string;
  readonly containerdAddress: string;
  readonly driver: Driver;
  readonly skipKnownLayers: boolean;
  readonly exportMode?: ExportMode;
  readonly metricsAddress?: SnapshotterOptions["metrics"];
  readonly logLevel: Level;
}

const ADDRESS = "/run/nydus-snapshotter-ts/snapshotter.sock";
/** The first descriptor that systemd gives. */
const LISTEN_FD = 3;
/** Serves by FUSE what the kernel does not mount. */
const NYDUSD = new URL("../../bin/nydusd-ts.mjs", import.meta.url);

/** `nydus-snapshotter-ts`: containerd's layers as tar files, its images as one mount each. No logic lives here. */
const program = withExamples(
  withHelpStyle(new Command("nydus-snapshotter-ts"))
    .description(
      "keep the layers of containerd as the tar files they are, and mount each image once for all its containers",
    )
    .version(versionText(), "-V, --version")
    .option("--config <file>", "TOML file that says what these options do not")
    .option("--root <dir>", "where layers, bootstraps and snapshots lie", "/var/lib/nydus-snapshotter-ts")
    .option("--address <socket>", "where containerd finds it", ADDRESS)
    .option("--containerd-address <socket>", "where it finds containerd", "/run/containerd/containerd.sock")
    .addOption(
      new Option(
        "--driver <name>",
        "what mounts images: the kernel's EROFS, or a daemon by FUSE where it does not",
      )
        .choices(DRIVERS)
        .default("auto"),
    )
    .option(
      "--skip-known-layers",
      "fetch no layer that another image has brought: such an image cannot be pushed or exported",
      false,
    )
    .addOption(
      new Option(
        "--export-mode <mode>",
        "give images to virtual machines as disks, as Kata Containers takes them, and mount none here",
      ).choices(EXPORT_MODES),
    )
    .option(
      "--metrics-address <[HOST:]PORT>",
      "where Prometheus may ask, and who looks after it",
      metricsAddress,
    )
    .addOption(new Option("--log-level <level>", "how much is logged").choices(LEVELS).default("info"))
    .enablePositionalOptions()
    .exitOverride()
    .action(async (flags: Flags, command: Command) => {
      const given = await withConfig(flags, command);
      const { logLevel, address, metricsAddress: metrics, skipKnownLayers, ...options } = given;
      const { LISTEN_FDS, LISTEN_PID } = process.env;
      const isInherited = Number(LISTEN_FDS) > 0 && Number(LISTEN_PID) === process.pid;
      const at = isInherited ? LISTEN_FD : address;
      const all = {
        ...{ ...options, metrics, address: at, program: NYDUSD },
        skipsKnownLayers: skipKnownLayers,
      };
      await serveSnapshotter(all, openLog(logLevel), (asked) => {
        const where = isInherited ? "at a socket of systemd" : address;
        say(`ready ${where}${asked === undefined ? "" : ` metrics=${asked}`}`);
      });
      process.exit();
    }),
  "nydus-snapshotter-ts --root /var/lib/nydus-snapshotter-ts",
  "nydus-snapshotter-ts --config /etc/nydus-snapshotter-ts/config.toml",
);
addContentsCommands(program, ADDRESS);
addDoctor(program);
addInstall(program);
addAls(program, NYDUSD);
addCompletion(program);
process.stdout.on("error", () => {}); // a reader of our output that went away is no reason to stop serving

await runProgram(
  () => program.parseAsync(),
  () => 1,
);
