import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach } from "vitest";
import { COMMAND, until, workDir } from "../support/daemon.ts";

/** A running `nydusd-ts nbd`. */
export interface Served {
  readonly socket: string;
  readonly pid: number;
  output(): string;
  /** @returns its exit status, or the signal */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

const running: Served[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop("SIGKILL");
});

/** Serves an image at a socket of its own, and waits until clients may come. */
export async function serveNbd(
  args: readonly string[],
  socket = join(workDir(), "nbd.sock"),
  where: readonly string[] = ["--socket", socket],
): Promise<Served> {
  const child = spawn(process.execPath, [COMMAND, "nbd", ...args, ...where], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes: Buffer) => {
      text += bytes.toString();
    });
  const ended = once(child, "exit").then(([code, signal]) => code ?? signal);
  await until(() => /^ready /m.test(text) || child.exitCode !== null, "the ready line");
  if (!/^ready /m.test(text)) throw new Error(text);
  const stop = (signal: NodeJS.Signals = "SIGTERM") => {
    child.kill(signal);
    return ended;
  };
  const served = { socket, pid: child.pid ?? 0, output: () => text, stop };
  running.push(served);
  return served;
}
