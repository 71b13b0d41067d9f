import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommandError, run } from "./processes.ts";

/** What a tree holds, and where its names are: NUL-terminated paths of regular files, in walk order. */
export interface Reference {
  readonly list: string;
  readonly entries: number;
  readonly files: number;
  readonly bytes: number;
  /** Path below the mount of the largest regular file. */
  readonly largest: string;
}

/** This file system cannot do it (O_DIRECT on a file-backed mount): not a failure, but no figure either. */
export class Refused extends Error {
  override readonly name = "Refused";
}

const REFUSED = 3;
/** Longest a step may take. */
export const STEP_MS = 300_000;

/** The load generator: `load.c`, one process a step, so that nothing in Node is part of a figure. */
export class Load {
  readonly program: string;
  private readonly signal: AbortSignal;

  private constructor(program: string, signal: AbortSignal) {
    this.program = program;
    this.signal = signal;
  }

  /** Compiles the program into `dir`. */
  static async compile(dir: string, signal: AbortSignal): Promise<Load> {
    const source = fileURLToPath(new URL("../../benches/load.c", import.meta.url));
    const program = join(dir, "load");
    await run(["cc", "-O2", "-o", program, source], 60_000, signal);
    return new Load(program, signal);
  }

  /** Walks a tree and writes the names of its regular files to `list`. */
  async list(mount: string, list: string): Promise<Reference> {
    const { entries, files, bytes, largest } = await this.step("walk", mount, list);
    const names = (await readFile(list, "latin1")).split("\0");
    return { list, entries, files, bytes, largest: Buffer.from(names[largest], "latin1").toString() };
  }

  /** @returns seconds; the tree must hold what the reference holds */
  async walk(mount: string, want: Reference): Promise<number> {
    const { seconds, entries, bytes } = await this.step("walk", mount);
    if (entries !== want.entries || bytes !== want.bytes)
      throw new Error(
        `walk: ${entries} entries of ${bytes} bytes, want ${want.entries} of ${want.bytes} bytes`,
      );
    return seconds;
  }

  /** Opens, reads and closes each file, in the list's order. @returns MB/s */
  async readAll(mount: string, want: Reference, readers: number): Promise<number> {
    const { seconds, bytes } = await this.step("readall", mount, want.list, `${readers}`);
    if (bytes !== want.bytes) throw new Error(`readall: ${bytes} bytes, want ${want.bytes}`);
    return bytes / seconds / 1e6;
  }

  /** Half of the names exist, the other half were never asked for before. @returns lookups a second */
  async storm(mount: string, want: Reference, processes: number, duration: number): Promise<number> {
    const { seconds, ops } = await this.step("storm", mount, want.list, `${processes}`, `${duration}`);
    return ops / seconds;
  }

  /** Preads of 4 KiB in random order. @returns reads a second */
  async random(file: string, how: "direct" | "buffered", jobs: number, duration: number): Promise<number> {
    const { seconds, ops } = await this.step("rand", file, how, `${jobs}`, `${duration}`);
    return ops / seconds;
  }

  /** Reads files to their ends in 1 MiB steps. @returns MB/s */
  async sequential(...files: string[]): Promise<number> {
    const { seconds, bytes } = await this.step("seq", ...files);
    return bytes / seconds / 1e6;
  }

  /** Runs a program inside the mount (chroot). @returns seconds from fork to its end */
  async app(mount: string, argv: readonly string[]): Promise<number> {
    return (await this.step("app", mount, ...argv))["seconds"];
  }

  private async step(...argv: string[]): Promise<Record<string, number>> {
    try {
      const line = (await run([this.program, ...argv], STEP_MS, this.signal)).trim();
      return JSON.parse(line.slice(line.lastIndexOf("\n") + 1));
    } catch (error) {
      if (error instanceof CommandError && error.status === REFUSED) throw new Refused(error.message);
      throw error;
    }
  }
}
