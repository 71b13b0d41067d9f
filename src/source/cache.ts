import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  lstatSync,
  readFileSync,
  rmSync,
  statfsSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { link, open, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { registerTemporary, stopFirst, unregisterTemporary } from "../atomic-file/clean-up.ts";
import { replaceFile, syncDirectory } from "../atomic-file/replace-file.ts";
import { temporaryName } from "../atomic-file/temporary.ts";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { SHA256 } from "../bytes/sha256.ts";
import { versionOf } from "../safe-open/identity.ts";
import { BUILDER_VERSION } from "../mkfs/builder-version.ts";
import { mustBeOwnDirectory, openOwnDirectory } from "../safe-open/own-directory.ts";
import type { LayerFile } from "../tar/layer-file.ts";

/** What a file was found to be. */
export interface KnownFile {
  /** sha256 of its tar. */
  readonly id: string;
  /**
   * A layer: the file is that tar itself, or the tar is in the cache. Or what was decompressed or expanded of it is in
   * the cache, whatever that is.
   */
  readonly kind: "plain" | "compressed" | "stored";
  /** Blob in the cache with what the tar cannot show: see mkfs/side-blob. */
  readonly side?: string | undefined;
  /** The layer takes nothing away: by itself, it is an image already. */
  readonly isImage?: boolean;
  /** No extended attribute of the layer was left out. */
  readonly hasAllXattrs?: boolean;
}

/** The end of names of blobs that are not on disk yet: the id of the running system, another one after each start. */
export const UNSYNCED = `.${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()}`;
/** A process that found a blob under a name opens it sooner. */
const OPENING_MS = 60_000;

/** The end of names of bootstraps, and a part of notes: what another version of the builder made is not found. */
const BOOTSTRAP = `.v${BUILDER_VERSION}.boot`;

/** Folders of a cache. */
export const FOLDERS = ["blobs", "layers", "images", "files"] as const;

/**
 * What was built before: tars of compressed layers, bootstraps of layers and of images, all named by content, so
 * that a name never changes its meaning. Everything appears by rename; any number of processes may share it. When
 * something was last used is when it was last changed.
 */
export class Cache {
  /** Tars of compressed layers, by the sha256 of the tar. */
  readonly blobs: string;
  private readonly dir: string;

  /**
   * @param dir made when it is not there, for this user alone
   * @throws OperationalError when another user may write to it: what is in there is believed for its name
   */
  constructor(dir: string) {
    this.dir = dir;
    this.blobs = join(dir, "blobs");
    mustBeOwnCache(dir, { make: 0o700 });
  }

  /**
   * To be asked before work: whether so much can be written here.
   *
   * @param bytes at least
   * @throws OperationalError with what the system says
   */
  mustTake(bytes: number): void {
    const probe = join(this.blobs, `.${randomBytes(8).toString("hex")}`);
    try {
      writeFileSync(probe, "x", { flag: "wx", mode: 0o600 });
    } catch (error) {
      throw unusable(this.dir, messageOf(error));
    } finally {
      rmSync(probe, { force: true }); // on a full disk there is an empty one
    }
    const { bavail, bsize } = statfsSync(this.blobs);
    const free = bavail * bsize;
    if (free < bytes)
      throw unusable(
        this.dir,
        `${mib(free)} free, decompressed layers take ${mib(bytes)} at least: ${MAKE_ROOM}`,
      );
  }

  /** Bootstrap of the layer whose tar has this id. */
  layer(id: string): string {
    return join(this.dir, "layers", `${id}${BOOTSTRAP}`);
  }

  /** Bootstrap of an image of these layers, the lowest first. */
  image(keys: readonly string[]): string {
    return join(this.dir, "images", `${sha256(keys.join("\n"))}${BOOTSTRAP}`);
  }

  /**
   * Where a blob is, or will be. A long one gets its name before the disk has it, so that no mount waits; until then
   * the name ends in this boot's id, and a crash makes it worth nothing.
   */
  blob(id: string): string {
    const path = join(this.blobs, id);
    return existsSync(path) ? path : path + UNSYNCED;
  }

  /** The blob that a file is; undefined when it is none of this cache. */
  idOf(path: string): string | undefined {
    return dirname(path) === this.blobs ? basename(path, UNSYNCED) : undefined;
  }

  /**
   * Gives blobs their lasting names, once the disk has them. The other ones stay for a while, because a process may
   * be about to open them.
   *
   * @param ageMs younger ones are left to the next time
   */
  async makeDurable(ids: Iterable<string>, ageMs: number): Promise<void> {
    for (const id of ids) {
      const path = join(this.blobs, id + UNSYNCED);
      const file = await open(path, "r").catch(() => undefined);
      if (file === undefined) continue;
      try {
        const { mtimeMs, birthtimeMs } = await file.stat();
        if (existsSync(join(this.blobs, id))) {
          if (Date.now() - mtimeMs > OPENING_MS) await unlink(path);
        } else if (Date.now() - birthtimeMs >= ageMs) {
          await file.sync();
          await link(path, join(this.blobs, id));
        }
      } catch (error) {
        if (codeOf(error) !== "EEXIST" && codeOf(error) !== "ENOENT") throw error; // another process was faster
      } finally {
        await file.close();
      }
    }
  }

  /**
   * While bootstraps of layers are put here: signals are listened to once for all of them, and the names of all go to the disk
   * together, which takes as long as one.
   */
  async puttingLayers(work: () => Promise<void>): Promise<void> {
    const mayLeave = stopFirst(async () => {});
    try {
      await work();
    } finally {
      mayLeave();
    }
    const dir = dirname(this.layer(""));
    try {
      syncDirectory(dir);
    } catch (error) {
      throw new OperationalError(`${dir}: ${messageOf(error)}`);
    }
  }

  /** Keeps the bootstrap of a layer. One that is there stays: a process may have found it, and mean that very file. */
  putLayer(id: string, image: Uint8Array): void {
    const path = this.layer(id);
    if (existsSync(path) && readFileSync(path).equals(image)) return;
    const temporary = temporaryName(path);
    registerTemporary(temporary);
    try {
      replaceFile(path, image, { mode: 0o600, isDurable: "content", temporary });
    } catch (error) {
      throw new OperationalError(`${path}: ${messageOf(error)}`);
    } finally {
      unregisterTemporary(temporary);
    }
  }

  /** What is known of a file that was seen before and has not changed since, if all that it takes is still here. */
  find(file: LayerFile): KnownFile | undefined {
    const note = this.noteOf(file);
    if (note === undefined || !existsSync(note)) return undefined;
    const known = parse(readFileSync(note, "latin1"));
    if (known === undefined || !this.needs(known).every((path) => existsSync(path))) return undefined;
    this.use([note, ...this.needs(known)]);
    return known;
  }

  /**
   * Notes what a file is. A note that a crash spoils says nothing, so it need not wait for the disk.
   *
   * @returns false when it is not the file that was opened any more: nothing is noted then
   */
  remember(file: LayerFile, known: KnownFile): boolean {
    const { fd, path, version } = file;
    const now = fd === undefined || this.idOf(path) !== undefined ? undefined : versionOf(fd);
    if (now !== undefined && now !== version) return false;
    const note = this.noteOf(file, now);
    if (note === undefined) return true;
    const { id, kind, isImage, side, hasAllXattrs } = known;
    const text = [id, kind, isImage ? "image" : "", side ?? "", hasAllXattrs ? "xattrs" : ""].join(" ");
    try {
      replaceFile(note, text, { mode: 0o600, isDurable: false });
    } catch (error) {
      throw new OperationalError(`${note}: ${messageOf(error)}`);
    }
    return true;
  }

  /** Marks files of the cache as used. */
  use(paths: readonly string[]): void {
    const now = new Date();
    for (const path of paths)
      try {
        utimesSync(path, now, now);
      } catch {
        // Another user's cache, or a file that is going away: opening it reports that.
      }
  }

  /** Files in the cache without which a note is worth nothing. */
  private needs({ id, kind, side }: KnownFile): string[] {
    const paths = kind === "plain" ? [] : [this.blob(id)];
    if (kind !== "stored") paths.push(this.layer(id));
    if (side !== undefined) paths.push(this.blob(side));
    return paths;
  }

  /** A file that is open is known by which it is and by what changes when it is written to; one of the cache by its name. */
  private noteOf(file: LayerFile, version?: string): string | undefined {
    const { fd, path, part } = file;
    const where = part === undefined ? [] : [part.at, part.size];
    const id = this.idOf(path);
    const what = id ?? version ?? (fd === undefined ? undefined : versionOf(fd));
    return what === undefined
      ? undefined
      : join(this.dir, "files", sha256([what, ...where, BOOTSTRAP].join(" ")));
  }
}

/**
 * @param options without `make` what is not there is passed over
 * @throws OperationalError naming the directory, unless nobody but root and this user can change what is in there
 */
export function mustBeOwnCache(dir: string, options: { readonly make?: number } = {}): void {
  const look = <T>(path: string, work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (options.make === undefined && codeOf(error) === "ENOENT") return undefined;
      throw unusable(path, messageOf(error));
    }
  };
  const from = look(dir, () => openOwnDirectory(dir, options));
  if (from === undefined) return;
  try {
    for (const name of FOLDERS)
      look(join(dir, name), () => {
        // A folder is the cache's own, not what somebody keeps elsewhere under such names.
        if (lstatSync(join(dir, name), { throwIfNoEntry: false })?.isSymbolicLink())
          throw new Error("not a directory");
        mustBeOwnDirectory(name, { ...options, from });
      });
  } finally {
    closeSync(from);
  }
}

const unusable = (path: string, why: string): OperationalError =>
  new OperationalError(`cache ${why.startsWith("/") ? why : `${path}: ${why}`}; ${CACHE_ADVICE}`);

export const CACHE_ADVICE = "name another with --cache-dir";
export const MAKE_ROOM = "make room, e.g. with nydusd-ts cache gc";

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function parse(note: string): KnownFile | undefined {
  const [id = "", kind, isImage, side, xattrs] = note.split(" ");
  if (!SHA256.test(id) || !(kind === "plain" || kind === "compressed" || kind === "stored")) return undefined;
  const hasAllXattrs = xattrs === "xattrs";
  return { id, kind, side: side || undefined, isImage: isImage === "image", hasAllXattrs };
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
