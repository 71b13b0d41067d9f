import { randomBytes } from "node:crypto";
import { closeSync, constants, createReadStream, createWriteStream, existsSync } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { codeOf } from "../bytes/errors.ts";
import { openPath } from "../safe-open/open-file.ts";

/** As nydusd has it. */
const KEPT = 10;
const GZ = ".gz";
/** Behind a name: compressed, or about to be. */
const KIND = /\.gz(\.\w+\.part)?$/;

/**
 * What was put aside of one log: `daemon_r2026-11-24_22-42-52.log.gz` beside `daemon.log`, as nydusd names them, in the
 * time zone of the lines.
 */
export class RotatedLogs {
  /** Path of the log itself. */
  readonly current: string;
  private readonly fd: number;
  private readonly directory: string;
  private readonly shown: string;
  private readonly stem: string;
  private readonly extension: string;

  /**
   * @param path of the log
   * @throws a system error when its directory cannot be opened
   */
  constructor(path: string) {
    this.shown = dirname(path);
    this.fd = openPath(this.shown, constants.O_DIRECTORY);
    // By its path, the thread that serves might come to its own mount, and wait for itself.
    this.directory = `/proc/self/fd/${this.fd}`;
    const name = basename(path);
    this.current = join(this.directory, name);
    this.extension = extname(name);
    this.stem = name.slice(0, name.length - this.extension.length);
  }

  /** The path to put a file aside under. Names of `.log` files sort by age, in one second, too. */
  unused(now: Date): string {
    const time = now.toISOString().slice(0, 19).replace("T", "_").replaceAll(":", "-");
    for (let n = -1; ; n++) {
      const again = n < 0 ? "" : `.restart-${String(n).padStart(4, "0")}`;
      const path = join(this.directory, `${this.stem}_r${time}${again}${this.extension}`);
      if (![path, path + GZ].some((each) => existsSync(each))) return path;
    }
  }

  /** A message with paths as they were given. */
  withPaths(message: string): string {
    return message.replaceAll(this.directory, this.shown);
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Removes all but the newest and compresses those, what an earlier run left included. No work for this thread. */
  async tidy(): Promise<void> {
    const baseOf = (name: string) => name.replace(KIND, "");
    const there = (await readdir(this.directory)).filter((name) => this.isRotated(baseOf(name)));
    const kept = new Set([...new Set(there.map(baseOf))].sort().slice(-KEPT));
    for (const name of there)
      if (!kept.has(baseOf(name))) await rm(join(this.directory, name), { force: true });
    for (const name of there) if (kept.has(name)) await compress(join(this.directory, name));
  }

  private isRotated(name: string): boolean {
    if (!name.startsWith(this.stem) || !name.endsWith(this.extension)) return false;
    const between = name.slice(this.stem.length, name.length - this.extension.length);
    return /^_r\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(\.restart-\d{4,})?$/.test(between);
  }
}

/** Whatever ends it, the lines are in one of the two; another daemon with the same log may be at it as well. */
async function compress(path: string): Promise<void> {
  const { createGzip } = await import("node:zlib"); // not needed before the first file is full
  const part = `${path}${GZ}.${randomBytes(6).toString("hex")}.part`;
  try {
    const out = createWriteStream(part, { mode: 0o600, flags: "wx", flush: true });
    await pipeline(createReadStream(path), createGzip(), out);
    await rename(part, path + GZ);
    await rm(path, { force: true });
  } catch (error) {
    await rm(part, { force: true });
    if (codeOf(error) !== "ENOENT") throw error; // the other one has done it
  }
}
