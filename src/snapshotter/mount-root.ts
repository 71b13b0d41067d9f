import { execFile } from "node:child_process";
import { lstat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { OperationalError } from "../bytes/errors.ts";
import { mountAt } from "../mounts/table.ts";

const run = promisify(execFile);
/** For a daemon to say what it serves; another one may just be taking its place. */
const ANSWER_MS = 10_000;
/** A dead one is told by the first question only: the second is answered by the kernel of what it remembers. */
const ASK = 'stat -f -c "" -- "$1" && exec stat -c "%u %g %f" -- "$1"';
const DEAD = /Transport endpoint is not connected|Software caused connection abort/;

/** What the root of a file system is like. */
export interface Root {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Questions that nobody has answered yet, by path. */
const asked = new Map<string, Promise<Root | "dead">>();

/**
 * Looks at the root of what is mounted on a directory, or at the directory. What a daemon serves is looked at by another process: one
 * that is stopped holds whoever asks, and Node has four threads for files.
 *
 * @returns "dead" when the daemon is gone
 * @throws OperationalError when it does not answer; the system error
 */
export async function rootOf(directory: string): Promise<Root | "dead"> {
  const mount = mountAt(directory);
  if (mount === undefined || !mount.type.startsWith("fuse")) return lstat(directory);
  const waits = asked.get(directory) ?? ask(directory);
  asked.set(directory, waits);
  const answer = waits.finally(() => asked.delete(directory));
  const stop = new AbortController();
  const late = sleep(ANSWER_MS, undefined, { signal: stop.signal }).then(() => {
    throw new OperationalError(`${directory}: its daemon does not answer`);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    stop.abort();
    late.catch(() => {});
    answer.catch(() => {});
  }
}

async function ask(directory: string): Promise<Root | "dead"> {
  try {
    const { stdout } = await run("sh", ["-c", ASK, "sh", directory], {
      env: { ...process.env, LC_ALL: "C" },
    });
    const [uid = "", gid = "", mode = ""] = stdout.trim().split(" ");
    return { uid: Number(uid), gid: Number(gid), mode: Number.parseInt(mode, 16) };
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? `${error.stderr}`.trim() : "";
    if (DEAD.test(said)) return "dead";
    throw new OperationalError(`${directory}: ${said || error}`);
  }
}
