import { closeSync, fstatSync, write as fsWrite } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { renamed } from "../safe-open/open-file.ts";
import { reachOwn } from "../safe-open/reach-own.ts";
import { AtomicFile } from "./atomic-file.ts";

const write = promisify(fsWrite);

/** Where a result goes, piece after piece. */
export interface Output {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes it be there, whole and on disk. */
  commit(): Promise<void>;
  /** Leaves no trace of it. */
  discard(): Promise<void>;
}

/**
 * Opens a file that appears only when it is complete; until then it has another name beside its own, which goes
 * away on failure and on signals. Standard output (`-`), pipes and devices are written as they are. A stranger's link is
 * replaced, not followed.
 *
 * @throws OperationalError naming the path
 */
export async function openOutput(path: string): Promise<Output> {
  if (path === "-" || path === "/dev/stdout") return standardOutput();
  try {
    const found = reachOwn(path);
    if (found.fd === undefined) return replacing(found.path);
    try {
      if (fstatSync(found.fd).isFile()) return replacing(found.path);
      const here = `/proc/self/fd/${found.fd}`;
      const file = await open(here, "w").catch((error: unknown) => {
        throw renamed(error, here, path);
      });
      return direct(file, path);
    } finally {
      closeSync(found.fd);
    }
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
  write: (bytes) => writeAll((part) => file.write(part), bytes, path),
  commit: () => file.close(),
  discard: () => file.close(),
});

function replacing(path: string): Output {
  const file = new AtomicFile(path);
  return {
    // Not its own write: a signal is heard only between two that wait.
    write: (bytes) => writeAll((part) => write(file.fd, part), bytes, path),
    commit: async () => {
      try {
        file.commit();
      } catch (error) {
        throw problem(path, error);
      }
    },
    discard: async () => file.discard(),
  };
}

/** One write(2), which may take only part. */
type Write = (bytes: Uint8Array) => Promise<{ bytesWritten: number }>;

async function writeAll(put: Write, bytes: Uint8Array, path: string): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) done += (await put(bytes.subarray(done))).bytesWritten;
  } catch (error) {
    throw problem(path, error);
  }
}

const problem = (path: string, error: unknown): OperationalError =>
  error instanceof OperationalError ? error : new OperationalError(`output ${path}: ${messageOf(error)}`);
