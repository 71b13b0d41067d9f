import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { run } from "./processes.ts";
import { median } from "./report.ts";
import { withWorkDir } from "./work-dir.ts";

/** Disks of images beside cp, openssl and nbdkit: every row's two sides one after the other, in each round. */
const IMAGE = fileURLToPath(new URL("../bundle/nydus-image-ts.js", import.meta.url));
const DAEMON = fileURLToPath(new URL("../bundle/nydusd-ts.js", import.meta.url));
const MINUTES = 600_000;

const command = new Command("disks")
  .description("measure how fast disks are written, hashed and served")
  .option("--mib <n>", "size of the tar", "512")
  .option("--rounds <n>", "repetitions of everything", "5");

/** Two ways to the same end, in seconds. */
interface Row {
  readonly name: string;
  readonly ours: () => Promise<number>;
  readonly theirs: () => Promise<number>;
}

async function seconds(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const start = performance.now();
  await run(argv, MINUTES, signal);
  return (performance.now() - start) / 1000;
}

/** A server of NBD, until the signal. */
async function serve(argv: readonly string[], socket: string, signal: AbortSignal): Promise<ChildProcess> {
  const child = spawn(argv[0] ?? "", argv.slice(1), { stdio: "ignore" });
  signal.addEventListener("abort", () => child.kill());
  while (!existsSync(socket) && child.exitCode === null) await delay(20);
  return child;
}

command.parse();
const { mib, rounds } = command.opts<{ mib: string; rounds: string }>();

await withWorkDir(async (dir, signal) => {
  const at = (name: string) => join(dir, name);
  const sh = (script: string) => run(["sh", "-c", `cd "${dir}"; ${script}`], MINUTES, signal);
  await sh(`head -c ${mib}M /dev/urandom >f; tar -cf x f; rm f`);
  await run(
    [process.execPath, IMAGE, "create", "-B", at("boot"), "-D", dir, "--blob-id", "x", at("x")],
    MINUTES,
    signal,
  );
  const out = at("out");
  const write = async (...flags: string[]) => {
    rmSync(out, { force: true });
    return seconds(
      [process.execPath, IMAGE, "export", "--block", at("boot"), "-D", dir, "-O", out, ...flags],
      signal,
    );
  };
  await write();
  await sh("mv out disk; truncate -s %4096 disk"); // qemu-img bench reads across the end otherwise
  const copied = async () => {
    rmSync(out, { force: true });
    return seconds(["sh", "-c", `cp --reflink=never "${at("disk")}" "${out}" && sync "${out}"`], signal);
  };
  const socketOf = (name: string) => at(`${name}.sock`);
  const servers = await Promise.all([
    serve(
      [process.execPath, DAEMON, "nbd", at("boot"), "--blob-dir", dir, "--socket", socketOf("ours")],
      socketOf("ours"),
      signal,
    ),
    serve(["nbdkit", "-f", "-U", socketOf("theirs"), "file", at("disk")], socketOf("theirs"), signal),
  ]);
  const client = (name: string, words: readonly string[]) => {
    const uri = `nbd+unix:///?socket=${socketOf(name)}`;
    return () =>
      seconds(
        words.map((word) => (word === "URI" ? uri : word)),
        signal,
      );
  };
  const clients = (name: string, ...words: string[]): Row => ({
    name,
    ours: client("ours", words),
    theirs: client("theirs", words),
  });
  const bench = ["qemu-img", "bench", "-f", "raw", "-s", "4096", "-S", "1052672"];
  const rows: Row[] = [
    { name: "written, beside cp --reflink=never", ours: () => write(), theirs: copied },
    { name: "the same in blocks of 4096 bytes", ours: () => write("--block-size", "4096"), theirs: copied },
    {
      name: "hash tree of 512-byte blocks, beside openssl speed on as many cores",
      ours: () => write("--verity-only"),
      theirs: () => opensslSeconds(512, Number(mib), signal),
    },
    clients("NBD, all of it, one connection, beside nbdkit", "nbdcopy", "--connections=1", "URI", "null:"),
    clients("NBD, all of it, four connections", "nbdcopy", "--connections=4", "URI", "null:"),
    clients("NBD, 4 KiB, one at a time", ...bench, "-c", "40000", "-d", "1", "URI"),
    clients("NBD, 4 KiB, 16 at a time", ...bench, "-c", "80000", "-d", "16", "URI"),
  ];
  try {
    const ratios = new Map<string, number[]>();
    for (let round = 0; round <= Number(rounds); round++)
      for (const { name, ours, theirs } of rows) {
        let a = round % 2 === 0 ? await ours() : 0;
        const b = await theirs();
        a ||= await ours();
        process.stderr.write(`${name}: ${a.toFixed(2)} s, ${b.toFixed(2)} s\n`);
        // The first round warms all that is compiled as it runs.
        if (round > 0) ratios.set(name, [...(ratios.get(name) ?? []), b / a]);
      }
    for (const [name, all] of ratios)
      process.stdout.write(
        `${name}: ${median(all).toFixed(2)} [${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)}]\n`,
      );
  } finally {
    for (const server of servers) {
      server.kill();
      await once(server, "exit");
    }
  }
});

/** What so many MiB take in calls of so many bytes, by all cores. */
async function opensslSeconds(bytes: number, size: number, signal: AbortSignal): Promise<number> {
  const cores = availableParallelism();
  const words = [
    "openssl",
    "speed",
    "-mr",
    "-elapsed", // what it gets of a machine that is busy otherwise, as we do
    "-bytes",
    `${bytes}`,
    "-seconds",
    "1",
    "-multi",
    `${cores}`,
    "sha256",
  ];
  const found = /^\+F:\d+:sha256:([\d.]+)/m.exec(await run(words, MINUTES, signal));
  return (size * 2 ** 20) / Number(found?.[1]);
}
