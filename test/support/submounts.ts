import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { build, merge } from "../mkfs/support.ts";
import { type Said, say } from "./api.ts";
import { type Daemon, sh, start, until, workDir } from "./daemon.ts";
import { scratchDir } from "./image.ts";
import { TAR } from "./tar-image.ts";

/** A daemon that began without an image. */
export interface Empty extends Daemon {
  readonly sock: string;
}

export async function startEmpty(...args: string[]): Promise<Empty> {
  const sock = join(workDir(), "api.sock");
  return { ...(await start(["--apisock", sock, ...args])), sock };
}

/** The body that asks for an image, as nydus's clients send it. */
export const orderOf = (source: string, blobDir: string): string =>
  JSON.stringify({
    fs_type: "rafs",
    source,
    config: JSON.stringify({
      version: 2,
      backend: { type: "localfs", localfs: { dir: blobDir } },
      cache: { type: "filecache", filecache: { work_dir: blobDir } },
      rafs: { mode: "direct" },
    }),
  });

/** @param method POST mounts, PUT replaces, DELETE unmounts */
export const change = (sock: string, line: string, image?: Versions | string): Promise<Said> => {
  const [method, path] = line.split(" ");
  const body =
    image === undefined ? undefined : typeof image === "string" ? image : orderOf(image.boots[0], image.dir);
  return say(sock, `${method} /api/v1/mount?mountpoint=${encodeURIComponent(path)}`, body);
};

/** @throws unless it is done */
export async function must(sock: string, line: string, image?: Versions | string): Promise<void> {
  const { status, text } = await change(sock, line, image);
  if (status !== 204) throw new Error(`${line}: ${status} ${text}`);
}

/** Bootstraps of one image and of what became of it, and the tars of all. */
export interface Versions {
  readonly dir: string;
  readonly boots: readonly string[];
}

/**
 * An image, and others that have more and more layers above it: their bootstraps are by GNU tar and our builder.
 *
 * @param scripts each makes the tree of one layer in its working directory
 */
export async function versions(...scripts: string[]): Promise<Versions> {
  const dir = scratchDir();
  const layers: string[] = [];
  const boots: string[] = [];
  for (const [i, script] of scripts.entries()) {
    const tree = join(dir, `tree${i}`);
    const tar = join(dir, `layer${i}.tar`);
    mkdirSync(tree);
    sh(`cd "$S"; ${script}`, { S: tree });
    sh(`${TAR} -C "$S" -cf "$T" .`, { S: tree, T: tar });
    const bootstrap = join(dir, `layer${i}.boot`);
    await build(tar, { bootstrap });
    copyFileSync(tar, join(dir, createHash("sha256").update(readFileSync(tar)).digest("hex")));
    layers.push(bootstrap);
    const merged = join(dir, `version${i}.boot`);
    merge(layers, { bootstrap: merged });
    boots.push(merged);
  }
  return { dir, boots };
}

/** A body that asks for a version. */
export const version = ({ dir, boots }: Versions, i: number): string => orderOf(boots[i], dir);

/** What a leak would make grow. */
export interface Resources {
  readonly fds: number;
  readonly threads: number;
  readonly rssMb: number;
}

export function resourcesOf(pid: number): Resources {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return {
    fds: readdirSync(`/proc/${pid}/fd`).length,
    threads: field("Threads"),
    rssMb: Math.round(field("VmRSS") / 1024),
  };
}

/** Files of an image that a process has open. */
export const openFilesOf = (pid: number, { dir }: Versions): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return path.startsWith(dir) ? [path] : [];
    } catch {
      return [];
    }
  });

/** Once nothing of an image is left, the daemon holds no file of it. */
export const isFreed = ({ pid }: Daemon, image: Versions): Promise<void> =>
  until(() => openFilesOf(pid, image).length === 0, "the files of an image to be closed");
