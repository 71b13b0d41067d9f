import { type ChildProcess, spawn } from "node:child_process";
import { statSync } from "node:fs";
import { mkdir, open, rm, stat, symlink, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { generator, shuffled } from "./order.ts";
import { run, which } from "./processes.ts";
import { type Sample, table } from "./report.ts";
import { tarChunks } from "./tar-stream.ts";
import { withWorkDir } from "./work-dir.ts";
import type { Workload } from "./workloads.ts";

const LONGEST_MS = 300_000;
const OURS = fileURLToPath(new URL("../../bin/nydusd-ts.mjs", import.meta.url));
const OUR_IMAGE = fileURLToPath(new URL("../../bin/nydus-image-ts.mjs", import.meta.url));
const DECOMPRESSORS = ["igzip", "pigz", "gzip"];
const LAYERS = 10;

type What = "known" | "tar" | "gz" | "merge";

/** Everything that a run works with; `work` is empty at its start. */
interface Setting {
  readonly tar: string;
  readonly gz: string | undefined;
  readonly work: string;
  readonly mountpoint: string;
  /** Bootstraps of layers, by who made them. */
  readonly layers: Readonly<Record<"ours" | "nydus", readonly string[]>>;
  readonly signal: AbortSignal;
}

/** One way to get there: resolves when it is; undefined where it cannot. */
type Way = (what: What, setting: Setting) => Promise<void> | undefined;

const go = (argv: readonly string[], signal: AbortSignal) => run(argv, LONGEST_MS, signal);

/** Mounts the bootstrap that a builder has made, and waits for the first stat. */
async function mountBuilt(argv: readonly string[], { mountpoint, signal }: Setting): Promise<void> {
  const before = statSync(mountpoint).dev;
  const child = spawn(argv[0], argv.slice(1), { stdio: "ignore", signal });
  child.on("error", () => {}); // seen below
  while ((await stat(mountpoint)).dev === before) {
    if (child.exitCode !== null && (await stat(mountpoint)).dev === before)
      throw new Error(`${basename(argv[0])} ended with status ${child.exitCode}`);
    await setTimeout(2);
  }
  daemons.push(child);
}
const daemons: ChildProcess[] = [];

async function unmount({ mountpoint, signal }: Setting): Promise<void> {
  await go(["umount", mountpoint], signal).catch(() => {});
  for (const child of daemons.splice(0))
    if (child.exitCode === null && child.signalCode === null)
      await new Promise((end) => {
        child.once("exit", end);
        setTimeout(2000).then(() => child.kill("SIGKILL"));
      });
}

const ours =
  (driver: string): Way =>
  (what, setting) => {
    const { tar, gz, work, mountpoint, signal } = setting;
    const cached = ["--driver", driver, "--cache-dir", join(work, "cache")];
    if (what === "merge")
      return driver === "fuse" ? merge([OUR_IMAGE], setting.layers.ours, setting) : undefined;
    if (what === "tar") return mountBuilt([OURS, "mount", tar, mountpoint, ...cached], setting);
    if (what === "gz")
      return gz === undefined ? undefined : mountBuilt([OURS, "mount", gz, mountpoint, ...cached], setting);
    const boot = join(work, "x.boot");
    const create = [OUR_IMAGE, "create", "-B", boot, "-D", work, "--blob-link", "none", "--blob-id", ID, tar];
    return go(create, signal).then(() =>
      mountBuilt([OURS, "mount", boot, mountpoint, "--blob", `1=${tar}`, ...cached], setting),
    );
  };

const ID = "a".repeat(64);

/** nydus-image and nydusd, which find the tar under its id. */
const nydus: Way = (what, setting) => {
  const { tar, gz, work, layers, signal } = setting;
  if (what === "merge") return merge(["nydus-image"], layers.nydus, setting);
  const build = async (from: string, id: readonly string[]) => {
    const boot = join(work, "x.boot");
    await go(["nydus-image", "create", "-t", "tar-tarfs", "-B", boot, "-D", work, ...id, from], signal);
    const [name] =
      id.length > 0
        ? [ID]
        : (/[0-9a-f]{64}/.exec(await go(["nydus-image", "inspect", boot, "-R", "blobs"], signal)) ?? [""]);
    await symlink(from, join(work, name));
    const backend = { type: "localfs", config: { dir: work } };
    const cache = { type: "blobcache", config: { work_dir: work } };
    const config = {
      device: { backend, cache },
      mode: "direct",
      digest_validate: false,
      iostats_files: false,
      enable_xattr: true,
    };
    await writeFile(join(work, "c.json"), JSON.stringify(config));
    const args = ["--bootstrap", boot, "--config", join(work, "c.json"), "--mountpoint", setting.mountpoint];
    await mountBuilt(["nydusd", "fuse", ...args, "--rlimit-nofile", "0", "--log-level", "error"], setting);
  };
  if (what === "known") return build(tar, ["--blob-id", ID]);
  if (what === "tar") return build(tar, []);
  if (gz === undefined) return undefined;
  const out = join(work, "layer.tar");
  return decompress(gz, out, signal).then(() => build(out, []));
};

/** Nothing but writing the tar, or its files. */
const plainTools: Way = (what, { tar, gz, work, signal }) => {
  if (what === "gz") return gz === undefined ? undefined : decompress(gz, join(work, "layer.tar"), signal);
  if (what !== "tar") return undefined;
  return mkdir(join(work, "root"))
    .then(() => go(["tar", "-C", join(work, "root"), "-xf", tar], signal))
    .then(() => {});
};

async function decompress(gz: string, to: string, signal: AbortSignal): Promise<void> {
  const program = DECOMPRESSORS.find((name) => which(name) !== undefined);
  const out = await open(to, "w");
  try {
    const child = spawn(program ?? "gzip", ["-dc", gz], { stdio: ["ignore", out.fd, "inherit"], signal });
    const status = await new Promise((end) => child.once("close", end));
    if (status !== 0) throw new Error(`${program} ended with status ${status}`);
  } finally {
    await out.close();
  }
}

async function merge(
  program: readonly string[],
  layers: readonly string[],
  { work, signal }: Setting,
): Promise<void> {
  if (layers.length === 0) throw new Error("no layers");
  await go([...program, "merge", "-B", join(work, "m.boot"), ...layers], signal);
}

const WAYS: Record<string, Way> = {
  "nydusd-ts": ours("fuse"),
  "nydusd-ts, erofs": ours("erofs"),
  nydus,
  "tar/decompressor": plainTools,
};

const row = (key: What, title: string): [What, Workload] => [
  key,
  { rows: [{ key, title, unit: "s" }], run: async () => ({}) },
];
const WORKLOADS: ReadonlyMap<What, Workload> = new Map([
  row("known", "tar with a known id to first stat"),
  row("tar", "tar to first stat, hashed; tar -x"),
  row("gz", "tar.gz to first stat; decompressor alone"),
  row("merge", `merge of ${LAYERS} layers`),
]);

interface Flags {
  readonly rounds: string;
  readonly gz?: string;
}

const command = new Command("ready")
  .description("measure how long it takes from a layer to a mounted image")
  .argument("<tar>", "a plain tar")
  .option("--rounds <n>", "repetitions of everything", "5")
  .option("--gz <file>", "the same tar, compressed");

async function main(path: string, { rounds, gz }: Flags, dir: string, signal: AbortSignal): Promise<void> {
  const hasNydus = which("nydus-image") !== undefined && which("nydusd") !== undefined;
  const systems = Object.keys(WAYS).filter((name) => name !== "nydus" || hasNydus);
  const tar = resolve(path);
  const mountpoint = join(dir, "mnt");
  const work = join(dir, "work");
  await mkdir(mountpoint);
  const setting: Setting = {
    tar,
    gz: gz && resolve(gz),
    work,
    mountpoint,
    layers: await makeLayers(dir, hasNydus, signal),
    signal,
  };
  const random = generator(1);
  const samples: Sample[] = [];
  for (let round = 1; round <= Number(rounds); round++)
    for (const what of WORKLOADS.keys())
      for (const system of shuffled(systems, random)) {
        await mkdir(work);
        await go(
          ["dd", `if=${what === "gz" && setting.gz ? setting.gz : tar}`, "of=/dev/null", "bs=1M"],
          signal,
        ); // into the page cache
        await go(["sync"], signal);
        const start = performance.now();
        const way = WAYS[system](what, setting);
        if (way !== undefined) {
          await way;
          const seconds = (performance.now() - start) / 1000;
          samples.push({ round, workload: what, system, figures: { [what]: seconds }, counts: {} });
        }
        await unmount(setting);
        await rm(work, { recursive: true });
      }
  const base = hasNydus ? "nydus" : systems[0];
  process.stdout.write(`${table(samples, WORKLOADS, systems, base)}\n\n`);
  process.stdout.write(`Median [least–most] (ratio to ${base}; above 1 is better).\n`);
}

/** Bootstraps of layers that have 6,600 files each, by both builders. */
async function makeLayers(dir: string, hasNydus: boolean, signal: AbortSignal): Promise<Setting["layers"]> {
  const layers: Record<"ours" | "nydus", string[]> = { ours: [], nydus: [] };
  for (let i = 0; i < LAYERS; i++) {
    const tar = join(dir, `${i}.tar`);
    const file = await open(tar, "w");
    for (const chunk of tarChunks({ files: 6600 + i, filesPerDirectory: 20 + i, fileSize: 100 }))
      await file.write(chunk);
    await file.close();
    const boot = (who: string) => join(dir, `${i}.${who}.boot`);
    await go([OUR_IMAGE, "create", "-B", boot("ours"), tar], signal);
    layers.ours.push(boot("ours"));
    if (!hasNydus) continue;
    await go(["nydus-image", "create", "-t", "tar-tarfs", "-B", boot("nydus"), "-D", dir, tar], signal);
    layers.nydus.push(boot("nydus"));
  }
  return layers;
}

command.parse();
await withWorkDir((dir, signal) => main(command.args[0], command.opts<Flags>(), dir, signal));
