import { type Dirent, type Stats, mkdirSync, readdirSync } from "node:fs";
import { chmod, chown, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

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

  /** Ids of directories that no snapshot has. */
  async strays(isKnown: (id: number) => boolean): Promise<number[]> {
    return (await readdir(this.root)).map(idOf).filter((id) => id > 0 && !isKnown(id));
  }

  remove = (id: number): Promise<void> => rm(join(this.root, `${id}`), { recursive: true, force: true });
}

const idOf = (name: string): number => (/^[1-9]\d*$/.test(name) ? Number(name) : 0);

/** What `du` counts below a directory, and the directory itself; a file with several names once. */
async function usageOf(top: string): Promise<Usage> {
  const seen = new Set<string>();
  let size = 0;
  const count = async (path: string): Promise<void> => {
    const { dev, ino, blocks } = await lstat(path);
    if (seen.has(`${dev}:${ino}`)) return;
    seen.add(`${dev}:${ino}`);
    size += blocks * 512;
  };
  const directories = [top];
  for (let path = directories.pop(); path !== undefined; path = directories.pop()) {
    await count(path);
    let entries: Dirent[];
    try {
      entries = await readdir(path, { withFileTypes: true });
    } catch {
      continue; // a container removes files meanwhile
    }
    for (const entry of entries) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) directories.push(child);
      else await count(child).catch(() => {});
    }
  }
  return { size, inodes: seen.size };
}
