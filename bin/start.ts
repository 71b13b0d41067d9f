import type { Dirent } from "node:fs";
import { mkdir, readdir, readFile, readlink, rmdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { codeOf, messageOf, StartError } from "../src/bytes/errors.ts";
import { runDaemon } from "../src/daemon/run.ts";

/** `npm start`: shows a genuine image at work. With arguments it is `nydusd-ts` itself. */
const IMAGE_DIR = fileURLToPath(new URL("../../test/fixtures/12-merged", import.meta.url));
/** In the order in which the image names them. */
const LAYERS = ["l2.tar", "l1.tar", "l3.tar"];
/** The second layer removes its directory, the third makes it again. */
const FILE = "dd/again";

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** Mounts, looks around, serves until it is unmounted or ^C. @returns exit status */
async function demonstrate(): Promise<number> {
  const mountpoint = await makeMountpoint();
  const image = join(IMAGE_DIR, "image.boot");
  let shown = Promise.resolve(true);
  try {
    const status = await runDaemon(
      {
        bootstrap: image,
        mountpoint,
        places: { dirs: [], files: new Map(LAYERS.map((tar, i) => [String(i + 1), join(IMAGE_DIR, tar)])) },
        transport: "auto",
        threads: 2,
        push: true,
        lowLatency: true,
        lenient: false,
        force: false,
        mountOptions: [],
        logLevel: "warn",
        logFile: undefined,
        pidFile: undefined,
        openFiles: undefined,
        warnings: [],
      },
      () => {
        shown = show(image, mountpoint);
      },
    );
    if (status === 0) say(`\n${mountpoint}: unmounted`);
    return (await shown) ? status : 1;
  } finally {
    await rmdir(mountpoint).catch(() => {}); // not ours to remove when something else is in it or mounted on it
  }
}

/** In the user's runtime directory, which goes away by itself, or at home. */
async function makeMountpoint(): Promise<string> {
  const runtime = process.env.XDG_RUNTIME_DIR;
  const problems: string[] = [];
  for (const parent of runtime ? [runtime, homedir()] : [homedir()]) {
    const path = join(parent, "nydusd-ts-demo");
    try {
      await mkdir(path);
      return path;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return path;
      problems.push(messageOf(error));
    }
  }
  throw new StartError(`no directory to mount on: ${problems.join("; ")}`);
}

/**
 * Everything about the mount goes through it, and never synchronously: this thread may be the one that serves.
 * @returns false, and ends the session, when it does not show what it should
 */
async function show(image: string, mountpoint: string): Promise<boolean> {
  let isLeaving = false;
  const leave = () => {
    isLeaving = true;
  };
  process.once("SIGINT", leave);
  process.once("SIGTERM", leave);
  // A demonstration ends with its terminal; a daemon does not.
  process.once("SIGHUP", () => process.kill(process.pid, "SIGTERM"));
  const layers = [...LAYERS].sort().join(", ");
  try {
    say(`${relative(process.cwd(), image)} is mounted at ${mountpoint}`);
    say(`One image of three layers, its files read from ${layers} as they lie there, nothing unpacked:\n`);
    say([mountpoint, ...(await tree(mountpoint))].join("\n"));
    const text = await readFile(join(mountpoint, FILE), "utf8");
    say(`\n$ cat ${join(mountpoint, FILE)}\n${text.trimEnd()}`);
    say(`\nLook around in another terminal:\n  ls -lR ${mountpoint}`);
    say(`  cat ${mountpoint}/hl_a\n  findmnt ${mountpoint}`);
    say(`\nServing until you press Ctrl-C.`);
  } catch (error) {
    if (isLeaving) return true;
    process.stderr.write(`Error: ${mountpoint}: ${messageOf(error)}\n`);
    process.kill(process.pid, "SIGTERM");
    return false;
  }
  return true;
}

async function tree(dir: string, indent = ""): Promise<string[]> {
  const entries = await entriesOf(dir);
  if (entries === undefined) return [`${indent}└── (not for this user to see)`];
  const lines: string[] = [];
  for (const [i, entry] of entries.entries()) {
    const path = join(dir, entry.name);
    const isLast = i === entries.length - 1;
    const end = entry.isSymbolicLink() ? ` -> ${await readlink(path)}` : entry.isDirectory() ? "/" : "";
    lines.push(`${indent}${isLast ? "└── " : "├── "}${entry.name}${end}`);
    if (entry.isDirectory()) lines.push(...(await tree(path, `${indent}${isLast ? "    " : "│   "}`)));
  }
  return lines;
}

/** @returns undefined for a directory that its modes hide */
async function entriesOf(dir: string): Promise<Dirent[] | undefined> {
  try {
    return await readdir(dir, { withFileTypes: true });
  } catch (error) {
    if (codeOf(error) === "EACCES") return undefined;
    throw error;
  }
}

process.stdout.on("error", () => {}); // a reader of our output that went away is no reason to stop serving

if (process.argv.length > 2) await import("./nydusd-ts.ts");
else
  try {
    process.exitCode = await demonstrate();
  } catch (error) {
    process.stderr.write(`Error: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
