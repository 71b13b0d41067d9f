import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../src/bytes/errors.ts";
import { readMounts } from "../src/mounts/table.ts";

/** Lends a directory, and a signal that aborts on an interrupt: the step under way ends, what is mounted is unmounted on the way out. */
export async function withWorkDir(body: (dir: string, signal: AbortSignal) => Promise<void>): Promise<void> {
  const interrupt = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => interrupt.abort(new Error(`ended by ${name}`)));
  const dir = await mkdtemp(join(await realpath(tmpdir()), "nydusd-ts-bench-"));
  try {
    await body(dir, interrupt.signal);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  } finally {
    const left = readMounts().filter(({ mountpoint }) => mountpoint.startsWith(`${dir}/`));
    if (left.length === 0) await rm(dir, { recursive: true });
    else process.stderr.write(`still mounted: ${left.map(({ mountpoint }) => mountpoint).join(" ")}\n`);
  }
}
