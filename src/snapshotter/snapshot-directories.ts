import { execFile } from "node:child_process";
import { type Stats, mkdirSync, readdirSync } from "node:fs";
import { chmod, chown, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { OperationalError } from "../bytes/errors.ts";

const run = promisify(execFile);

/** Where a snapshot's own files lie. */
export interface SnapshotPlaces {
  readonly upper: string;
  readonly work: string;
  /** A layer, where it could not be part of an image. */
  readonly unpacked: string;
}

/** Bytes on disk, and inodes. */
export interface Usage {
  readonly size: number;
  readonly inodes: number;
}

/** A directory for each snapshot, by its id: `snapshots/<id>/{fs,work,unpacked}`. */
export class SnapshotDirectories {
  /** Without anything in it. */
  readonly empty: string;
  private readonly root: string;

  constructor(root: string) {
    this.root = join(root, "snapshots");
    this.empty = join(root, "empty");
    // Processes of a container pass through these, whoever they are; what is in them has its own modes.
    for (const directory of [this.root, this.empty]) mkdirSync(directory, { recursive: true, mode: 0o711 });
  }

  /** The highest id that was ever given to a directory that is there; 0: none. */
  get lastId(): number {
    return readdirSync(this.root).reduce((most, name) => Math.max(most, idOf(name)), 0);
  }

  places = (id: number): SnapshotPlaces => ({
    upper: join(this.root, `${id}`, "fs"),
    work: join(this.root, `${id}`, "work"),
    unpacked: join(this.root, `${id}`, "unpacked"),
  });

  /** Also makes again what somebody has removed. */
  async make(id: number): Promise<void> {
    const { upper, work } = this.places(id);
    await mkdir(upper, { recursive: true, mode: 0o755 });
    await mkdir(work, { recursive: true, mode: 0o711 });
  }

  /** Makes the upper directory, which is the root of an overlay, look like another one. */
  async likeRoot(id: number, { uid, gid, mode }: Pick<Stats, "uid" | "gid" | "mode">): Promise<void> {
    const { upper } = this.places(id);
    await chown(upper, uid, gid);
    await chmod(upper, mode & 0o7777);
  }

  /** Whether nothing was written to it. */
  isUntouched = async (id: number): Promise<boolean> => (await readdir(this.places(id).upper)).length === 0;

  usage = (id: number): Promise<Usage> => usageOf(this.places(id).upper);

  /** Has what lies in it survive a power loss. */
  sync = (id: number): Promise<unknown> => run("sync", ["-f", this.places(id).upper]);

  /** Ids of directories that no snapshot has. */
  async strays(isKnown: (id: number) => boolean): Promise<number[]> {
    return (await readdir(this.root)).map(idOf).filter((id) => id > 0 && !isKnown(id));
  }

  /** By a program that goes by descriptors: a container can make trees whose paths no call takes. @throws Error with its words */
  async remove(id: number): Promise<void> {
    await run("rm", ["-rf", "--one-file-system", "--", join(this.root, `${id}`)]);
  }
}

const idOf = (name: string): number => (/^[1-9]\d*$/.test(name) ? Number(name) : 0);

/**
 * What lies below a directory, and the directory itself; a file with several names once. By a program that goes by descriptors,
 * because a container may change the tree meanwhile; what goes away while it looks makes it fail, and does not matter.
 */
async function usageOf(path: string): Promise<Usage> {
  const [size, inodes] = await Promise.all([count("--block-size=1", path), count("--inodes", path)]);
  return { size, inodes };
}

async function count(what: string, path: string): Promise<number> {
  const words = ["-s", "-x", what, "--", path];
  const { stdout } = await run("du", words).catch((error: Partial<{ stdout: string }>) => error);
  const found = Number.parseInt(stdout ?? "", 10);
  if (Number.isNaN(found)) throw new OperationalError(`${path}: du does not say how much is there`);
  return found;
}
