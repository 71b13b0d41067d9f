import type { Command } from "commander";
import type { Contents } from "../src/snapshotter/contents.ts";
import { table } from "../src/ctl/tables.ts";
import { withExamples } from "./help.ts";
import { mib } from "./progress.ts";
import { print, say, sayLine } from "./say.ts";
import { withConfig } from "./snapshotter-config.ts";

interface Flags {
  readonly config?: string;
  readonly address: string;
  readonly json: boolean;
}

interface GcFlags {
  readonly config?: string;
  readonly address: string;
  readonly dryRun: boolean;
}

/** `nydus-snapshotter-ts ls`, `du`, `gc`: what a snapshotter has that runs. @param address where one is found by default */
export function addContentsCommands(program: Command, address: string): void {
  const ask = async (at: string) => new (await import("../src/snapshotter/ask.ts")).RunningSnapshotter(at);
  const command = (name: string, example: string) =>
    withExamples(program.command(name), example)
      .option("--config <file>", "TOML file of the snapshotter, which says where it is found")
      .option("--address <socket>", "where it is found", address);
  command("ls", "nydus-snapshotter-ts ls --json")
    .description(
      "list conversions, layers, images and their mounts, and snapshots of a snapshotter that runs",
    )
    .option("--json", "as JSON", false)
    .action(async ({ json, ...flags }: Flags, of: Command) => {
      const { address: at } = await withConfig(flags, of);
      const contents = await (await ask(at)).contents(false);
      if (json) say(JSON.stringify(contents, null, 2));
      else print(lists(contents));
    });
  command("du", "nydus-snapshotter-ts du --json")
    .description(
      "say who takes how many bytes: layers by the snapshots that share them, directories of containers",
    )
    .option("--json", "as JSON", false)
    .action(async ({ json, ...flags }: Flags, of: Command) => {
      const { address: at } = await withConfig(flags, of);
      const owners = ownersOf(await (await ask(at)).contents(true));
      if (json) say(JSON.stringify(owners, null, 2));
      else
        print(
          table(
            ["BYTES", "SNAPSHOTS", "OWNER"],
            owners.map((o) => [o.bytes, o.snapshots, o.owner]),
          ),
        );
    });
  command("gc", "nydus-snapshotter-ts gc --dry-run")
    .description("remove what no snapshot needs, as containerd has it done after its own garbage collection")
    .option("--dry-run", "say what would go, remove nothing", false)
    .action(async ({ dryRun, ...flags }: GcFlags, of: Command) => {
      const { address: at } = await withConfig(flags, of);
      const running = await ask(at);
      const found = await running.garbage();
      if (!dryRun) await running.cleanUp();
      const left = dryRun ? [] : await running.garbage();
      const gone = found.filter(({ kind, name }) => !left.some((l) => l.kind === kind && l.name === name));
      for (const { kind, name } of gone) sayLine(`${kind} ${name}`);
      const bytes = gone.reduce((sum, each) => sum + each.bytes, 0);
      say(`${gone.length} things, ${mib(bytes)} ${dryRun ? "would be freed" : "freed"}`);
    });
}

function lists({ conversions, layers, images, disks, snapshots }: Contents): string {
  const parts = [
    table(
      ["CONVERTING", "DONE", "OF"],
      conversions.map(({ digest, done, of }) => [digest, done, of]),
    ),
    table(
      ["LAYER", "TAR", "BOOTSTRAP", "SNAPSHOTS"],
      layers.map((l) => [l.diffId, l.tarBytes + l.sideBytes, l.bootstrapBytes, l.snapshots]),
    ),
    table(
      ["IMAGE", "BOOTSTRAP", "USERS", "TYPE", "MOUNTPOINT"],
      images.map((i) => [i.key.slice(0, 16), i.bootstrapBytes, i.users, i.type || "-", i.mountpoint || "-"]),
    ),
    table(
      ["DISK", "BYTES", "USERS"],
      disks.map((d) => [d.name, d.bytes, d.users]),
    ),
    table(
      ["SNAPSHOT", "KIND", "LAYER", "PARENT"],
      snapshots.map((s) => [s.key, s.kind, s.layer || `directory ${s.id}`, s.parent || "-"]),
    ),
  ];
  return parts.join("\n");
}

interface Owner {
  readonly owner: string;
  readonly bytes: number;
  /** That have it. */
  readonly snapshots: number;
}

/** The most bytes first. */
function ownersOf({ layers, images, disks, snapshots }: Contents): Owner[] {
  const owners = [
    ...layers.map(({ diffId, tarBytes, sideBytes, bootstrapBytes, snapshots: count }) => ({
      ...{ owner: `layer ${diffId}`, snapshots: count },
      bytes: tarBytes + sideBytes + bootstrapBytes,
    })),
    ...images.map(({ key, bootstrapBytes, users }) => ({
      ...{ owner: `image ${key}`, bytes: bootstrapBytes, snapshots: users },
    })),
    ...disks.map(({ name, bytes, users }) => ({ owner: `disk ${name}`, bytes, snapshots: users })),
    ...snapshots
      .filter(({ layer }) => layer === "")
      .map(({ key, bytes }) => ({ owner: `directory of ${key}`, bytes, snapshots: 1 })),
  ];
  return owners.sort((a, b) => b.bytes - a.bytes);
}
