import { statSync } from "node:fs";
import { mkdir, rm, symlink } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { generator, shuffled } from "./order.ts";
import { run, which } from "./processes.ts";
import { type Sample, table } from "./report.ts";
import { withWorkDir } from "./work-dir.ts";
import type { Workload } from "./workloads.ts";

/** One way to index a tar: its command line, or undefined where it cannot do that. */
type Builder = (how: How, tar: string, dir: string) => readonly string[] | undefined;

/** With the blob id given, nothing but headers need be read; without, all of the tar is hashed. */
type How = "create" | "create-hash" | "create-stream";

const LONGEST_MS = 300_000;
const ID = "a".repeat(64);
const OURS = fileURLToPath(new URL("../../bin/nydus-image-ts.mjs", import.meta.url));

const BUILDERS: Record<string, Builder> = {
  "nydus-image-ts": (how, tar, dir) => {
    const id = how === "create-hash" ? [] : ["--blob-id", ID];
    return [OURS, "create", "-B", join(dir, "x.boot"), "-D", dir, "--blob-link", "none", ...id, tar];
  },
  "nydus-image": (how, tar, dir) => {
    if (how === "create-stream") return undefined;
    const id = how === "create-hash" ? [] : ["--blob-id", ID];
    return ["nydus-image", "create", "-t", "tar-tarfs", "-B", join(dir, "x.boot"), "-D", dir, ...id, tar];
  },
  "mkfs.erofs": (how, tar, dir) =>
    how === "create" ? ["mkfs.erofs", "--quiet", "--tar=i", join(dir, "x.boot"), tar] : undefined,
};

const row = (key: How, title: string) => ({ key, title, unit: "s" as const });
const WORKLOADS: ReadonlyMap<How, Workload> = new Map<How, Workload>([
  ["create", { rows: [row("create", "index a tar, its id given")], run: async () => ({}) }],
  ["create-hash", { rows: [row("create-hash", "index and hash it")], run: async () => ({}) }],
  [
    "create-stream",
    { rows: [row("create-stream", "index it from a .gz, written as it comes")], run: async () => ({}) },
  ],
]);

interface Flags {
  readonly rounds: string;
  readonly gz?: string;
}

const command = new Command("build")
  .description("measure nydus-image-ts beside the other ways to index a tar")
  .argument("<tar>", "a plain tar")
  .option("--rounds <n>", "repetitions of everything", "5")
  .option("--gz <file>", "the same tar, compressed");

async function main(tar: string, { rounds, gz }: Flags, dir: string, signal: AbortSignal): Promise<void> {
  const systems = Object.keys(BUILDERS).filter(
    (name) => name === "nydus-image-ts" || which(name) !== undefined,
  );
  const random = generator(1);
  const samples: Sample[] = [];
  const sizes: Record<string, number> = {};
  const link = join(dir, basename(tar));
  await symlink(resolve(tar), link);
  for (let round = 1; round <= Number(rounds); round++)
    for (const how of WORKLOADS.keys())
      for (const system of shuffled(systems, random)) {
        const source = how === "create-stream" ? gz && resolve(gz) : link;
        const work = join(dir, "work");
        await mkdir(work);
        const argv = source === undefined ? undefined : BUILDERS[system](how, source, work);
        if (argv !== undefined) {
          await run(["dd", `if=${source}`, "of=/dev/null", "bs=1M"], LONGEST_MS, signal); // into the page cache
          const start = performance.now();
          await run(argv, LONGEST_MS, signal);
          const seconds = (performance.now() - start) / 1000;
          sizes[system] = statSync(join(work, "x.boot")).size;
          samples.push({ round, workload: how, system, figures: { [how]: seconds }, counts: {} });
        }
        await rm(work, { recursive: true });
      }
  const base = systems.includes("nydus-image") ? "nydus-image" : systems[0];
  process.stdout.write(`${table(samples, WORKLOADS, systems, base)}\n\n`);
  process.stdout.write(`Median [least–most] (ratio to ${base}; above 1 is better).\n`);
  process.stdout.write(
    `Bytes of the bootstrap: ${systems.map((name) => `${name} ${sizes[name]}`).join(", ")}.\n`,
  );
}

command.parse();
await withWorkDir((dir, signal) => main(command.args[0], command.opts<Flags>(), dir, signal));
