import "../src/path-bytes/program.ts";
import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { codeOf, messageOf, OperationalError } from "../src/bytes/errors.ts";
import { runtimeDirectory, userHome } from "../src/bytes/user-directories.ts";
import { outliveTerminal } from "../src/proc/terminal.ts";
import { type DemoImage, withDemoImage } from "../src/source/demo-image.ts";
import { mib } from "./progress.ts";
import { complain, say } from "./say.ts";

/**
 * `npm start`: mounts a tar of something real on this host, the packages that are installed here. With arguments it is
 * `nydusd-ts`, and what names no command is what to mount and where: `npm start -- SOURCE… DIR`.
 */
const PACKAGES = fileURLToPath(new URL("../../node_modules", import.meta.url));
/** Beside this program. */
const DAEMON = fileURLToPath(new URL("./nydusd-ts.js", import.meta.url));
/** Small, and in every package. */
const FILE = "commander/package.json";
/** Commands of nydusd-ts, and options that only some of them know. */
const WORDS = new Set([
  "fuse",
  "mount",
  "umount",
  "doctor",
  "cache",
  "trace",
  "completion",
  "help",
  "-h",
  "--help",
  "-V",
  "--version",
]);
const FUSE_ONLY = /^(-B|--bootstrap|-M|--mountpoint)/;

/** Builds, mounts, looks around, serves until it is unmounted or ^C. @returns exit status */
async function demonstrate(): Promise<number> {
  say(`Making a tar of ${relative(process.cwd(), PACKAGES)} …`);
  return withDemoImage(PACKAGES, async (image) => {
    const mountpoint = await makeMountpoint();
    try {
      return await serve(image, mountpoint);
    } finally {
      await rmdir(mountpoint).catch(() => {}); // not ours to remove when something else is in it or mounted on it
    }
  });
}

/**
 * Has another process serve it, and looks at it from this one: nobody who serves a mount can wait for it, and Node does so
 * within calls that look as if they did not (readdir with `recursive` asks for types synchronously).
 *
 * @returns exit status
 */
async function serve(image: DemoImage, mountpoint: string): Promise<number> {
  const server = spawn(process.execPath, [DAEMON, ...daemonArgs(image, mountpoint)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, XDG_CACHE_HOME: dirname(image.bootstrap) }, // what it notes goes with the image
  });
  let isLeaving = false;
  const leave = (signal: NodeJS.Signals) => {
    isLeaving = true;
    server.kill(signal === "SIGHUP" ? "SIGTERM" : signal); // a demonstration ends with its terminal; a daemon does not
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, leave);
  let shown: Promise<boolean> | undefined;
  server.stdout.on("data", (chunk: Buffer) => {
    if (!/^ready /m.test(chunk.toString())) return;
    shown ??= show(image, mountpoint).catch((error: unknown) => {
      if (isLeaving) return true;
      complain("Error:", `${mountpoint}: ${messageOf(error)}`);
      server.kill("SIGTERM");
      return false;
    });
  });
  const status = await new Promise<number>((done, fail) => {
    server.once("error", fail);
    server.once("close", (code) => done(code ?? 1));
  });
  if (status === 0) say(`\n${mountpoint}: unmounted`);
  return (await shown) === false ? 1 : status;
}

const daemonArgs = ({ bootstrap, blobDirs, blobs }: DemoImage, mountpoint: string): string[] => [
  ...["fuse", "--bootstrap", bootstrap, "--mountpoint", mountpoint, "--log-level", "warn"],
  ...blobDirs.flatMap((dir) => ["--blob-dir", dir]),
  ...blobs.flatMap(([id, path]) => ["--blob", `${id}=${path}`]),
];

/** In the user's runtime directory, which goes away by itself, or at home. */
async function makeMountpoint(): Promise<string> {
  const runtime = runtimeDirectory();
  const home = userHome();
  const problems: string[] = [];
  for (const parent of runtime === undefined ? [home] : [runtime, home]) {
    const path = join(parent, "nydusd-ts-demo");
    try {
      await mkdir(path);
      return path;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return path;
      problems.push(messageOf(error));
    }
  }
  throw new OperationalError(`no directory to mount on: ${problems.join("; ")}`);
}

/** @returns true @throws when the mount does not show what it should */
async function show({ tarBytes, bootstrapBytes, ms }: DemoImage, mountpoint: string): Promise<true> {
  say(`A tar of ${mib(tarBytes)}; its bootstrap of ${mib(bootstrapBytes)} took ${Math.round(ms)} ms.`);
  const from = performance.now();
  const entries = await readdir(mountpoint, { recursive: true });
  const walked = Math.round(performance.now() - from);
  say(`Mounted at ${mountpoint}, nothing unpacked: ${entries.length} entries, walked in ${walked} ms.\n`);
  const { name, version, description } = JSON.parse(await readFile(join(mountpoint, FILE), "utf8"));
  say(
    `$ jq -r '.name, .version, .description' ${join(mountpoint, FILE)}\n${name}\n${version}\n${description}`,
  );
  say(`\nLook around in another terminal:\n  ls -l ${mountpoint}\n  findmnt ${mountpoint}`);
  say(`  diff -r ${PACKAGES} ${mountpoint}\n\nServing until you press Ctrl-C.`);
  return true;
}

outliveTerminal();
process.stdout.on("error", () => {}); // a reader of our output that went away is no reason to stop serving

const args = process.argv.slice(2);
const [first] = args;
if (first !== undefined) {
  if (!WORDS.has(first) && !args.some((word) => FUSE_ONLY.test(word))) process.argv.splice(2, 0, "mount");
  await import("./nydusd-ts.ts");
} else
  try {
    process.exitCode = await demonstrate();
  } catch (error) {
    complain("Error:", messageOf(error));
    process.exitCode = 1;
  }
