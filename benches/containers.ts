import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  createReadStream,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Command } from "commander";
import { parse, stringify } from "smol-toml";
import { containerdConfig, PROXY, proxyPlaces } from "../test/support/containers/containerd-config.ts";
import { median } from "./report.ts";
import { withWorkDir } from "./work-dir.ts";

/** How long containerd takes with images, by its own overlayfs and EROFS, and by `nydus-snapshotter-ts`; rounds are interleaved. */
const OURS = fileURLToPath(new URL("../../bin/nydus-snapshotter-ts.mjs", import.meta.url));
const SYSTEMS = ["overlayfs", "erofs", PROXY] as const;
const EROFS = ["io.containerd.snapshotter.v1.erofs", "io.containerd.differ.v1.erofs"];
const run = promisify(execFile);

const command = new Command("containers")
  .description("measure pulls, first processes and removals of images")
  .requiredOption("--engine <dir>", "containerd 2.x, ctr, the shim, as test/engines.sh unpacks them")
  .requiredOption("--tools <dir…>", "where runc and busybox, and mkfs.erofs are, with colons between")
  .option("--rounds <n>", "repetitions of everything, interleaved", "3")
  .option("--files <n>", "of the large image", "60000")
  .option("--layers <n>", "of the image of small layers", "121")
  .option("--images <n>", "for the memory that the snapshotter takes", "50");

interface Flags {
  readonly engine: string;
  readonly tools: string;
  readonly rounds: string;
  readonly files: string;
  readonly layers: string;
  readonly images: string;
}

/** A blob of a registry, in a file. */
interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly path: string;
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Images in files, served to containerd on loopback. */
class Registry {
  private readonly dir: string;
  private readonly blobs = new Map<string, Blob>();
  private readonly names = new Map<string, Blob>();
  private readonly server = createServer(({ url = "", method }, response) => {
    const path = url.replace(/^\/v2\//, "").replace(/\?.*/, "");
    const blob = this.names.get(path) ?? this.blobs.get(path.slice(path.lastIndexOf("/") + 1));
    if (blob === undefined) {
      response.writeHead(path === "" ? 200 : 404).end();
      return;
    }
    response.writeHead(200, {
      ...{ "content-type": blob.mediaType, "content-length": blob.size },
      "docker-content-digest": blob.digest,
    });
    if (method === "HEAD") response.end();
    else createReadStream(blob.path).pipe(response);
  });

  constructor(dir: string) {
    this.dir = dir;
    mkdirSync(dir);
  }

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done));
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  /** @param layers plain tars @returns what to pull */
  async add(name: string, layers: readonly Uint8Array[]): Promise<string> {
    const type = "application/vnd.oci.image";
    const packed: Blob[] = [];
    for (const tar of layers) packed.push(await this.packed(tar));
    const config = this.put(`${type}.config.v1+json`, {
      ...{ architecture: process.arch === "x64" ? "amd64" : process.arch, os: "linux" },
      rootfs: { type: "layers", diff_ids: layers.map(digestOf) },
    });
    const mediaType = `${type}.manifest.v1+json`;
    const described = ({ path: _, ...descriptor }: Blob) => descriptor;
    const manifest = this.put(mediaType, {
      ...{ schemaVersion: 2, mediaType, config: described(config), layers: packed.map(described) },
    });
    this.names.set(`${name}/manifests/latest`, manifest);
    this.names.set(`${name}/manifests/${manifest.digest}`, manifest);
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}/${name}:latest`;
  }

  private put(mediaType: string, content: object): Blob {
    return this.keep(mediaType, Buffer.from(JSON.stringify(content)));
  }

  private keep(mediaType: string, bytes: Uint8Array): Blob {
    const digest = digestOf(bytes);
    const path = join(this.dir, digest);
    writeFileSync(path, bytes);
    const blob = { mediaType, digest, size: bytes.length, path };
    this.blobs.set(digest, blob);
    return blob;
  }

  private async packed(tar: Uint8Array): Promise<Blob> {
    const path = join(this.dir, "tar");
    writeFileSync(path, tar);
    const { stdout } = await run("gzip", ["-1", "-c", path], { encoding: "buffer", maxBuffer: 2 ** 31 });
    return this.keep("application/vnd.oci.image.layer.v1.tar+gzip", stdout);
  }
}

/** A tar of what a shell has made in a directory. */
async function tarOf(dir: string, script: string, ...words: string[]): Promise<Buffer> {
  const made = join(dir, "tree");
  await run("sh", ["-euc", `rm -rf "$1"; mkdir "$1"; cd "$1"; shift; ${script}`, "sh", made, ...words]);
  const { stdout } = await run("tar", ["-C", made, "--owner=0", "--group=0", "-cf", "-", "."], {
    ...{ encoding: "buffer", maxBuffer: 2 ** 31 },
  });
  await run("rm", ["-rf", made]);
  return stdout;
}

const BASE = 'mkdir bin dev etc proc run sys tmp; cp "$1" bin/busybox; ln -s busybox bin/true';

/** The layer with many files: half of each is noise. */
async function largeLayer(dir: string, files: number): Promise<Buffer> {
  const made = join(dir, "tree");
  mkdirSync(made);
  for (let i = 0; i < files; i++) {
    if (i % 500 === 0) mkdirSync(join(made, `${i / 500}`));
    const noise = randomBytes(500 + (i % 3000)).toString("base64");
    writeFileSync(join(made, `${Math.floor(i / 500)}`, `${i}`), noise + noise);
  }
  const { stdout } = await run("tar", ["-C", made, "--owner=0", "--group=0", "-cf", "-", "."], {
    ...{ encoding: "buffer", maxBuffer: 2 ** 31 },
  });
  await run("rm", ["-rf", made]);
  return stdout;
}

/** A containerd with all three, and our snapshotter beside it. */
class Engine {
  private readonly dir: string;
  private readonly flags: Flags;
  private readonly env: NodeJS.ProcessEnv;
  private readonly children: ChildProcess[] = [];
  snapshotter: ChildProcess | undefined;

  constructor(dir: string, flags: Flags) {
    this.dir = dir;
    this.flags = flags;
    const path = `${resolve(flags.engine)}:${flags.tools}:${process.env["PATH"]}`;
    this.env = { ...process.env, PATH: path, TMPDIR: dir };
  }

  async start(): Promise<void> {
    const { root, address } = proxyPlaces(this.dir);
    const words = ["--root", root, "--address", address, "--containerd-address", this.socket];
    words.push("--metrics-address", "0");
    this.snapshotter = this.launch("snapshotter", process.execPath, [OURS, ...words]);
    const major = 2;
    const made = { name: "containerd", major, path: "", containerd: "", ctr: "" };
    const config = parse(containerdConfig(made, this.dir, { proxy: true })) as Record<string, unknown>;
    config["disabled_plugins"] = (config["disabled_plugins"] as string[]).filter((id) => !EROFS.includes(id));
    const plugins = config["plugins"] as Record<string, { unpack_config: { platform: string }[] }>;
    const unpack = plugins["io.containerd.transfer.v1.local"]?.unpack_config ?? [];
    unpack.push({ ...unpack[0], snapshotter: "erofs", differ: "erofs" } as never);
    const file = join(this.dir, "config.toml");
    writeFileSync(file, stringify(config));
    this.launch("containerd", join(this.flags.engine, "containerd"), ["--config", file]);
    for (let tries = 0; ; tries++) {
      try {
        await this.ctr("version");
        return;
      } catch (error) {
        if (tries > 100) throw error;
        await sleep(100);
      }
    }
  }

  async ctr(...words: string[]): Promise<void> {
    const all = ["--address", this.socket, "--namespace", "bench", ...words];
    await run(join(this.flags.engine, "ctr"), all, { env: this.env, timeout: 600_000, maxBuffer: 2 ** 31 });
  }

  /** What our snapshotter has done how long: `phase seconds (times)`. */
  async phases(): Promise<string> {
    const [, at] = / metrics=(\S+)/.exec(readFileSync(join(this.dir, "snapshotter.log"), "utf8")) ?? [];
    const text = await (await fetch(`http://${at}/metrics`)).text();
    const counts = [...text.matchAll(/phase_duration_seconds_count\{phase="([^"]+)"\} (\d+)/g)];
    return counts
      .map(([, phase, count]) => {
        const sum = new RegExp(`phase_duration_seconds_sum\\{phase="${phase}"\\} (\\S+)`).exec(text)?.[1];
        return `${phase} ${Number(sum).toFixed(2)} (${count})`;
      })
      .join(", ");
  }

  /** Where a snapshotter keeps its things. */
  placeOf(system: string): string {
    return system === PROXY
      ? proxyPlaces(this.dir).root
      : join(this.dir, "root", `io.containerd.snapshotter.v1.${system}`);
  }

  async end(): Promise<void> {
    for (const child of this.children.reverse()) {
      const gone = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      await Promise.race([gone, sleep(10_000)]);
      child.kill("SIGKILL");
    }
  }

  private get socket(): string {
    return join(this.dir, "containerd.sock");
  }

  private launch(name: string, program: string, words: readonly string[]): ChildProcess {
    const log = openSync(join(this.dir, `${name}.log`), "a");
    const child = spawn(program, words, { stdio: ["ignore", log, log], env: this.env });
    closeSync(log);
    this.children.push(child);
    return child;
  }
}

/** @returns s */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** What is on disk, not what is mounted there; what is being removed meanwhile does not matter. */
async function mibOf(path: string): Promise<number> {
  const { stdout } = await run("du", ["-sxm", path]).catch((error: { stdout: string }) => error);
  return Number.parseInt(stdout, 10);
}

const statusOf = (pid: number, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
/** User and system time, in hundredths of a second. */
const ticksOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
};

await withWorkDir(async (dir, signal) => {
  const flags = command.parse().opts<Flags>();
  const busybox = flags.tools
    .split(":")
    .map((tools) => join(tools, "busybox"))
    .find((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);
  if (busybox === undefined) throw new Error("no busybox among the tools");
  const registry = new Registry(join(dir, "registry"));
  const engine = new Engine(dir, flags);
  const figures = new Map<string, number[]>();
  const note = (system: string, what: string, value: number) => {
    const key = `${what}\t${system}`;
    figures.set(key, [...(figures.get(key) ?? []), value]);
  };
  await registry.listen();
  try {
    const base = await tarOf(dir, BASE, busybox);
    const large = await registry.add("large", [base, await largeLayer(dir, Number(flags.files))]);
    const small: Buffer[] = [base];
    for (let i = 1; i < Number(flags.layers); i++)
      small.push(await tarOf(dir, 'echo "$1" >"file$1"', `${i}`));
    const layered = await registry.add("layered", small);
    await engine.start();
    const loads = [loadavg()[0] ?? 0];
    for (let round = 0; round < Number(flags.rounds); round++)
      for (const system of SYSTEMS) {
        signal.throwIfAborted();
        const words = ["--snapshotter", system];
        const pull = (name: string) => engine.ctr("image", "pull", "--plain-http", ...words, name);
        const start = (name: string) => engine.ctr("run", "--rm", ...words, name, "one", "/bin/true");
        const empty = await mibOf(engine.placeOf(system));
        note(system, "pull and unpack, s", await timed(() => pull(large)));
        note(system, "first process, s", await timed(() => start(large)));
        note(system, "second container, s", await timed(() => start(large)));
        note(system, "disk, MiB", (await mibOf(engine.placeOf(system))) - empty);
        note(system, "image removal, s", await timed(() => engine.ctr("image", "rm", "--sync", large)));
        const many = `pull and run ${flags.layers} small layers, s`;
        try {
          note(system, many, await timed(() => pull(layered).then(() => start(layered))));
        } catch (error) {
          process.stderr.write(`${system}: ${many}: ${String(error).split("\n").slice(0, 2).join(" ")}\n`);
        }
        await engine.ctr("image", "rm", "--sync", layered);
        loads.push(loadavg()[0] ?? 0);
      }
    const phases = await engine.phases();
    const pid = engine.snapshotter?.pid ?? 0;
    for (let i = 0; i < Number(flags.images); i++) {
      const name = await registry.add(`image${i}`, [base, await tarOf(dir, 'echo "$1" >own', `own ${i}`)]);
      await engine.ctr("image", "pull", "--plain-http", "--snapshotter", PROXY, name);
      await engine.ctr("run", "--rm", "--snapshotter", PROXY, name, "one", "/bin/true");
    }
    await sleep(10_000); // threads that have nothing to do end
    note(PROXY, `memory with ${flags.images} images, MiB`, statusOf(pid, "VmRSS") / 1024);
    const before = ticksOf(pid);
    await sleep(10_000);
    note(PROXY, "idle CPU, %", (ticksOf(pid) - before) / 10);
    const rows = [...new Set([...figures.keys()].map((key) => key.split("\t")[0] ?? ""))];
    const cell = (what: string, system: string): string => {
      const values = figures.get(`${what}\t${system}`);
      if (values === undefined) return "–";
      const show = (value: number) => value.toFixed(value < 10 ? 2 : 0);
      return `${show(median(values))} [${show(Math.min(...values))}–${show(Math.max(...values))}]`;
    };
    const lines = [
      `| | ${SYSTEMS.join(" | ")} |`,
      `|---|${SYSTEMS.map(() => "---|").join("")}`,
      ...rows.map((what) => `| ${what} | ${SYSTEMS.map((system) => cell(what, system)).join(" | ")} |`),
      `phases of ${PROXY}, s: ${phases}`,
      `load ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`,
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  } finally {
    registry.close();
    await engine.end();
    // What is mounted for images outlives both.
    await run("sh", [
      "-c",
      'grep -o " $1/[^ ]*" /proc/self/mountinfo | sort -r | xargs -r -n1 umount -l',
      "sh",
      dir,
    ]).catch(() => {});
  }
});
