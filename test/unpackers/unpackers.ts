import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { goProgram } from "../support/go-program.ts";

const PROGRAM = goProgram({
  name: "unpackers",
  source: fileURLToPath(new URL(".", import.meta.url)),
  build: ["build"],
  what: "containerd's and umoci's unpackers",
});

/** A name of a tree that was unpacked, as the program says it. */
export interface Unpacked {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly target?: string;
  readonly data?: string;
  /** The first path of the same inode. */
  readonly same?: string;
}

/** What one of them makes of a stack: a tree, or why not. */
export interface Outcome {
  readonly entries?: readonly Unpacked[];
  readonly refused?: string;
}

export interface Outcomes {
  readonly containerd: Outcome;
  readonly umoci: Outcome;
  /** Of containerd's directories for overlayfs: only whether it refused. */
  readonly overlay?: Outcome;
}

/** @returns why it cannot be had */
export const unpackersAbsent = (): string | undefined =>
  process.getuid?.() === 0 ? PROGRAM.absent() : "only root may unpack what belongs to others";

/** containerd's and umoci's code, in a process that takes one stack after the other. */
export class Unpackers {
  private readonly program: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;

  constructor() {
    this.program = spawn(PROGRAM.path);
    this.program.stderr.pipe(process.stderr);
    this.lines = createInterface(this.program.stdout)[Symbol.asyncIterator]();
  }

  /**
   * @param dir where it may unpack
   * @param overlay leave containerd's directories for overlayfs in `overlay/<number>`
   */
  async unpack(dir: string, layers: readonly string[], overlay = false): Promise<Outcomes> {
    this.program.stdin.write(`${JSON.stringify({ dir, layers, overlay })}\n`);
    const { value, done } = await this.lines.next();
    if (done === true) throw new Error("the unpackers have ended");
    return JSON.parse(value);
  }

  close(): void {
    this.program.stdin.end();
  }
}
