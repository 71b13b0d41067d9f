import { randomBytes } from "node:crypto";
import { realpathSync, type Stats, statSync, unlinkSync } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf, messageOf, StartError } from "../bytes/errors.ts";

/** Where a result goes, piece after piece. */
export interface Output {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes it be there, whole and on disk. */
  commit(): Promise<void>;
  /** Leaves no trace of it. */
  discard(): Promise<void>;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Opens a file that appears only when it is complete; until then it has another name beside its own, which goes
 * away on failure and on signals. Standard output (`-`), pipes and devices are written as they are.
 *
 * @throws StartError naming the path
 */
export async function openOutput(path: string): Promise<Output> {
  if (path === "-" || path === "/dev/stdout") return standardOutput();
  try {
    const stats = statOf(path);
    if (stats !== undefined && !stats.isFile()) return direct(await open(path, "w"), path);
    return await replacing(stats === undefined ? path : realpathSync(path));
  } catch (error) {
    throw problem(path, error);
  }
}

function standardOutput(): Output {
  const write = (bytes: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  return { write, commit: async () => {}, discard: async () => {} };
}

const direct = (file: FileHandle, path: string): Output => ({
  write: (bytes) => writeAll(file, bytes, path),
  commit: () => file.close(),
  discard: () => file.close(),
});

async function replacing(path: string): Promise<Output> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const file = await open(temporary, "wx", 0o666);
  const leave = (signal: NodeJS.Signals) => {
    unlinkSync(temporary);
    process.kill(process.pid, signal); // its listener is gone: this ends the process, as that signal does
  };
  for (const signal of SIGNALS) process.once(signal, leave);
  const stay = () => {
    for (const signal of SIGNALS) process.removeListener(signal, leave);
  };
  return {
    write: (bytes) => writeAll(file, bytes, path),
    commit: async () => {
      await file.sync();
      await file.close();
      await rename(temporary, path);
      stay();
      await syncDirectory(dirname(path));
    },
    discard: async () => {
      await file.close().catch(() => {}); // it is not to be kept, whatever is wrong with it
      await unlink(temporary).catch(() => {});
      stay();
    },
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array, path: string): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
  } catch (error) {
    throw problem(path, error);
  }
}

const problem = (path: string, error: unknown): StartError =>
  new StartError(`output ${path}: ${messageOf(error)}`);

/** So that the new name survives a power cut, too. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  await directory.sync().finally(() => directory.close());
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
