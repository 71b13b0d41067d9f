import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { OperationalError } from "../bytes/errors.ts";

/**
 * Starts this same command line again as a daemon and returns when it is ready. What it prints before that
 * goes to this process's stderr; afterwards it has only its log file.
 *
 * @param instead options in the place of `--daemonize`: what this process knows and that one could not see
 * @param isKept whether a keeper is to start it
 * @throws OperationalError when it ends first
 */
export async function daemonize(
  say: (line: string) => void,
  instead: readonly string[],
  isKept: boolean,
): Promise<void> {
  const args = process.argv.slice(1).flatMap((arg) => (arg === "--daemonize" ? instead : [arg]));
  const keeper = isKept ? ["/bin/sh", fileURLToPath(new URL("./keeper.sh", import.meta.url))] : [];
  const [program, ...words] = [...keeper, process.execPath, ...process.execArgv, ...args];
  const child = spawn(program, words, {
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  await new Promise<void>((resolve, reject) => {
    child.once("message", ({ ready, isServed }: { ready: string; isServed: boolean }) => {
      say(`ready ${ready}${isServed ? ` pid=${child.pid}` : ""}`); // a mount of the kernel needs no process
      resolve();
    });
    // Not "exit": its last words may still be on their way then.
    child.once("close", (code, signal) =>
      reject(
        new OperationalError(`the daemon ended with ${signal ?? `status ${code}`}: ${lastLine(stderr)}`),
      ),
    );
    child.once("error", reject);
  });
  process.stderr.write(stderr);
  child.stderr?.destroy();
  child.disconnect();
  child.unref();
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
