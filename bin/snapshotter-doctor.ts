import { type Command, InvalidArgumentError, type Option } from "commander";
import type { Lines } from "../src/doctor/containerd-tables.ts";
import { withExamples } from "./help.ts";
import { say } from "./say.ts";
import { withConfig } from "./snapshotter-config.ts";

interface Flags {
  readonly config?: string;
  readonly root: string;
  readonly address: string;
  readonly containerdAddress: string;
  readonly containerdConfig?: string;
  readonly containerdVersion?: string;
  readonly name: string;
  readonly json: boolean;
}

const FOR: Readonly<Record<Lines["for"], string>> = {
  containerd: "for containerd",
  kubernetes: "for Kubernetes, all pods",
  "runtime-handler": "for Kubernetes, pods of a RuntimeClass",
  docker: "for Docker",
};
const HOW: Readonly<Record<Lines["how"], string>> = {
  append: "add at the end of",
  change: "change what is there already in",
};

/** `nydus-snapshotter-ts doctor`: whether images can be pulled and run, and the lines that are missing. */
export function addDoctor(program: Command): void {
  const options = ["--config", "--root", "--address", "--containerd-address"].map(
    (long) => program.options.find((option) => option.long === long) as Option,
  );
  const command = withExamples(
    program.command("doctor"),
    "nydus-snapshotter-ts doctor",
    "nydus-snapshotter-ts doctor --containerd-version 1.7   before containerd is there",
  ).description(
    "say whether containerd can run images by it, and print the lines of configuration that are missing",
  );
  for (const option of options) command.addOption(option);
  command
    .option("--containerd-config <file>", "of containerd, where it is not the one that it was started with")
    .option(
      "--containerd-version <version>",
      "which one the lines are for, where it does not run yet",
      release,
    )
    .option("--name <name>", "what containerd is to call the snapshotter", "tarfs")
    .option("--json", "as JSON", false)
    .action(async ({ json, ...given }: Flags, of: Command) => {
      const question = await withConfig(given, of);
      const { examineSnapshotter } = await import("../src/doctor/examine-snapshotter.ts");
      const { findingsText } = await import("../src/doctor/findings-text.ts");
      const { findings, lines, works } = await examineSnapshotter(question);
      if (json) say(JSON.stringify({ works, findings, lines }, null, 2));
      else say([findingsText(findings), ...lines.map(linesText)].join("\n"));
      process.exitCode = works ? 0 : 1;
    });
}

function release(value: string): string {
  if (/^\d+\.\d+/.test(value)) return value;
  throw new InvalidArgumentError("want a release, such as 1.7 or 2.1.9.");
}

const linesText = (lines: Lines): string =>
  `\n# ${FOR[lines.for]}: ${HOW[lines.how]} ${lines.file}\n${lines.text}`;
