import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** XDG base directory specification. */
export const defaultCacheDir = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "nydusd-ts");

/** A layer's file: the sha256 of its tar, and whether it is that tar itself. */
export interface Known {
  readonly id: string;
  readonly isPlain: boolean;
}

/**
 * What was built before: tars of compressed layers, bootstraps of layers and of images, all named by content, so
 * that a name never changes its meaning. Everything appears by rename; any number of processes may share it.
 */
export class Cache {
  /** Tars of compressed layers, by the sha256 of the tar. */
  readonly blobs: string;
  private readonly dir: string;

  /** @param dir made when it is not there, for this user alone */
  constructor(dir: string) {
    this.dir = dir;
    this.blobs = join(dir, "blobs");
    for (const name of ["blobs", "layers", "images", "files"])
      mkdirSync(join(dir, name), { recursive: true, mode: 0o700 });
  }

  /** Bootstrap of the layer whose tar has this id. */
  layer(id: string): string {
    return join(this.dir, "layers", `${id}.boot`);
  }

  /** Bootstrap of an image of these layers, the lowest first. */
  image(ids: readonly string[]): string {
    return join(this.dir, "images", `${sha256(ids.join("\n"))}.boot`);
  }

  private hasTar(id: string): boolean {
    return existsSync(join(this.blobs, id));
  }

  /** A name that nobody has, beside the bootstraps of layers. */
  temporary(): string {
    return join(this.dir, "layers", `.${randomBytes(8).toString("hex")}`);
  }

  /** What is known of a file that was indexed before and has not changed since, if all that it takes is still here. */
  find(path: string): Known | undefined {
    const file = this.fileKey(path);
    if (file === undefined || !existsSync(file)) return undefined;
    const [id, kind] = readFileSync(file, "latin1").split(" ");
    const isPlain = kind === "plain";
    return existsSync(this.layer(id)) && (isPlain || this.hasTar(id)) ? { id, isPlain } : undefined;
  }

  /** Notes what a file holds. */
  remember(path: string, { id, isPlain }: Known): void {
    const file = this.fileKey(path);
    if (file === undefined) return;
    const temporary = `${file}.${randomBytes(6).toString("hex")}`;
    try {
      writeFileSync(temporary, `${id} ${isPlain ? "plain" : "compressed"}`, { mode: 0o600 });
      renameSync(temporary, file);
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  /** A file is known by where it is and by what changes when it is written to. */
  private fileKey(path: string): string | undefined {
    const { dev, ino, size, mtimeNs, ctimeNs, ...stats } = statSync(path, { bigint: true });
    if ((stats.mode & 0o170000n) !== 0o100000n) return undefined;
    return join(this.dir, "files", sha256([dev, ino, size, mtimeNs, ctimeNs].join(" ")));
  }
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
