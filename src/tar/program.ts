import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { messageOf, StartError } from "../bytes/errors.ts";
import { type ByteStream, closedEarly } from "./byte-stream.ts";

/** Bytes of a program's complaints that are kept. */
const MAX_COMPLAINT = 4 << 10;

/** The first of these programs that is on the PATH. */
export const findProgram = (names: readonly string[]): string | undefined => names.find(isOnPath);

function isOnPath(name: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, name), constants.X_OK);
      return dir !== "";
    } catch {
      return false;
    }
  });
}

/**
 * What a program writes of what it reads. It is killed when nobody wants more, and never outlives the stream.
 *
 * @param input a descriptor, which it inherits, or bytes to write to it
 * @param path of the input, used only in messages
 * @param what the input should be, for messages
 * @throws StartError, from the chunks, when it fails: with its last words
 */
export function throughProgram(
  program: string,
  args: readonly string[],
  input: number | ByteStream,
  path: string,
  what: string,
): ByteStream {
  const isFd = typeof input === "number";
  const child = spawn(program, args, { stdio: [isFd ? input : "pipe", "pipe", "pipe"] });
  let complaint = "";
  child.stderr?.on("data", (chunk) => {
    if (complaint.length < MAX_COMPLAINT) complaint += chunk;
  });
  let isClosed = false;
  const ended = end(child);
  const fed = isFd ? Promise.resolve(undefined) : feed(child, input);
  const close = async () => {
    isClosed = true;
    child.kill("SIGKILL");
    child.stdout?.destroy();
    child.stderr?.destroy(); // it may have left somebody behind who holds it open
    if (!isFd) await input.close();
    await ended;
    await fed;
  };
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      yield* child.stdout as AsyncIterable<Uint8Array>;
      const how = await ended;
      const lost = await fed;
      if (lost !== undefined) throw lost;
      if (how === "") return;
      const words = complaint.trim().replace(/\s+/g, " ");
      throw new StartError(
        `${path}: not ${what}, damaged or cut off: ${program} ${how}${words && `: ${words}`}`,
      );
    } catch (error) {
      throw isClosed ? closedEarly(path, error) : error;
    } finally {
      await close();
    }
  }
  return { chunks: chunks(), close };
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
