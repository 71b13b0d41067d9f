import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL(".", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../../.cache/tools/unpackers", import.meta.url));

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
}

/** Builds the program from its modules, by name and version, when it is older than its source. @returns why it cannot be had */
export function unpackersAbsent(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may unpack what belongs to others";
  if (isBuilt()) return undefined;
  mkdirSync(join(PROGRAM, ".."), { recursive: true });
  try {
    execFileSync("go", ["build", "-o", `${PROGRAM}.${process.pid}`, "."], { cwd: SOURCE, stdio: "pipe" });
  } catch (error) {
    return `Go cannot build containerd's and umoci's unpackers: ${String(error).split("\n")[0]}`;
  }
  renameSync(`${PROGRAM}.${process.pid}`, PROGRAM);
  return undefined;
}

const isBuilt = (): boolean =>
  existsSync(PROGRAM) &&
  ["main.go", "go.mod", "go.sum"].every(
    (name) => statSync(join(SOURCE, name)).mtimeMs < statSync(PROGRAM).mtimeMs,
  );

/** containerd's and umoci's code, in a process that takes one stack after the other. */
export class Unpackers {
  private readonly program: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;

  constructor() {
    this.program = spawn(PROGRAM);
    this.program.stderr.pipe(process.stderr);
    this.lines = createInterface(this.program.stdout)[Symbol.asyncIterator]();
  }

  /** @param dir where it may unpack */
  async unpack(dir: string, layers: readonly string[]): Promise<Outcomes> {
    this.program.stdin.write(`${JSON.stringify({ dir, layers })}\n`);
    const { value, done } = await this.lines.next();
    if (done === true) throw new Error("the unpackers have ended");
    return JSON.parse(value);
  }

  close(): void {
    this.program.stdin.end();
  }
}
