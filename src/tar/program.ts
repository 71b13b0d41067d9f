import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { type ByteStream, closedEarly } from "./byte-stream.ts";

/** Bytes of a program's complaints that are kept. */
const MAX_COMPLAINT = 4 << 10;

/** The first of these programs that is on the PATH. */
export const findProgram = (names: readonly string[]): string | undefined => names.find(isOnPath);

function isOnPath(name: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, name), constants.X_OK);
      return dir !== "";
    } catch {
      return false;
    }
  });
}

/** What a program makes of its input: either in pieces, or straight into a file. */
export interface ProgramOutput extends ByteStream {
  /**
   * Instead of iterating: the program writes to this file itself, which costs no other process anything.
   *
   * @returns when it has ended well
   * @throws OperationalError as the chunks do
   */
  into(fd: number): Promise<void>;
}

/**
 * What a program writes of what it reads. It starts with the first read, is killed when the reader stops, and
 * never outlives the stream.
 *
 * @param input a descriptor, which it inherits, or bytes to write to it
 * @param path of the input, used only in messages
 * @param what the input should be, for messages
 * @throws OperationalError, from the chunks, when it fails: with its last words
 */
export function throughProgram(
  program: string,
  args: readonly string[],
  input: number | ByteStream,
  path: string,
  what: string,
): ProgramOutput {
  const isFd = typeof input === "number";
  let isClosed = false;
  let running: RunningProgram | undefined;
  const start = (output: "pipe" | number): RunningProgram => {
    if (isClosed) throw closedEarly(path, undefined);
    const child = spawn(program, args, { stdio: [isFd ? input : "pipe", output, "pipe"] });
    running = new RunningProgram(child, isFd ? undefined : input);
    return running;
  };
  const close = async () => {
    isClosed = true;
    if (running !== undefined) await running.stop();
    else if (!isFd) await input.close();
  };
  /** Waits for its end. */
  const finish = async ({ ended, fed, complaint }: RunningProgram) => {
    const how = await ended;
    const lost = await fed;
    if (lost !== undefined) throw lost;
    if (how === "") return;
    const words = lastWords(program, complaint());
    throw new OperationalError(
      `${path}: not ${what}, damaged or cut off: ${program} ${how}${words && `: ${words}`}`,
    );
  };
  const guarded = (error: unknown) => (isClosed ? closedEarly(path, error) : error);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      const started = start("pipe");
      yield* started.child.stdout as AsyncIterable<Uint8Array>;
      await finish(started);
    } catch (error) {
      throw guarded(error);
    } finally {
      await close();
    }
  }
  const into = async (fd: number) => {
    try {
      await finish(start(fd));
    } catch (error) {
      throw guarded(error);
    } finally {
      await close();
    }
  };
  return { chunks: chunks(), into, close };
}

/**
 * What a program complains of: its first line, and those that are indented below it, without its name and what is no news.
 * bzip2 goes on with a page of advice, igzip says "Error (null)" of standard input.
 */
function lastWords(program: string, complaint: string): string {
  const [first = ""] = complaint.trim().split(/\n(?!\s)/);
  return first
    .replace(`${program}: `, "")
    .replace(/^Error \(null\) /, "")
    .replace(/\s*\*Possible\* reason follows\.$/, "")
    .replace(/\s+/g, " ");
}

/** A program at work. */
class RunningProgram {
  readonly child: ChildProcess;
  /** How it ended, in words; "" when well. */
  readonly ended: Promise<string>;
  /** What went wrong with its input. */
  readonly fed: Promise<unknown>;
  private readonly input: ByteStream | undefined;
  private said = "";

  constructor(child: ChildProcess, input: ByteStream | undefined) {
    this.child = child;
    this.input = input;
    child.stderr?.on("data", (chunk) => {
      if (this.said.length < MAX_COMPLAINT) this.said += chunk;
    });
    this.ended = end(child);
    this.fed = input === undefined ? Promise.resolve(undefined) : feed(child, input);
  }

  readonly complaint = (): string => this.said;

  /** Kills it and waits until it is gone. */
  async stop(): Promise<void> {
    const { child } = this;
    child.kill("SIGKILL");
    child.stdout?.destroy();
    child.stderr?.destroy(); // a child of it may be left that holds it open
    await this.input?.close();
    await this.ended;
    await this.fed;
  }
}

/** How it ended, in words; "" when well. */
const end = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.on("error", (error) => resolve(`did not start (${messageOf(error)})`));
    child.on("close", (status, signal) => {
      resolve(status === 0 ? "" : signal !== null ? `was ended by ${signal}` : `ended with status ${status}`);
    });
  });

/** @returns what went wrong with the input; a program that wants no more of it says so by its status */
async function feed(child: ChildProcess, input: ByteStream): Promise<unknown> {
  let lost: unknown;
  async function* noting(): AsyncGenerator<Uint8Array> {
    try {
      yield* input.chunks;
    } catch (error) {
      lost = error;
      throw error;
    }
  }
  if (child.stdin !== null)
    await pipeline(Readable.from(noting(), { objectMode: false }), child.stdin).catch(() => {});
  return lost;
}
