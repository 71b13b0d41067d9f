import { isSea } from "node:sea";
import { fileURLToPath } from "node:url";
import { findKeeper } from "../handover/keeper.ts";
import { become } from "../syscalls/process.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";
import { type MountFlags, isKept } from "./options-from-flags.ts";

const SHELL = "/bin/sh";

/** How a keeper is started that starts this very program. @param words of the command line, from the script that Node runs on */
export const keeperCommand = (words: readonly string[]): [string, ...string[]] => [
  SHELL,
  fileURLToPath(new URL("./keeper.sh", import.meta.url)),
  ...[process.execPath, ...process.execArgv, ...words],
];

/**
 * Has this process become its own keeper, which starts it again, where it is to serve in the foreground and to go on when it dies. A
 * shell does that before Node begins (bin/launch.sh); before an executable that has Node in it there is none.
 *
 * @throws SystemCallError
 */
export async function keepItself(flags: MountFlags, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const isBelowOne = findKeeper() !== undefined || Number(env["NYDUSD_TS_KEEPER"]) === process.ppid;
  if (isBelowOne || flags.daemonize || !isKept(flags)) return;
  if (!isSea()) return;
  await loadSystemCalls();
  const [shell, ...words] = keeperCommand(process.argv.slice(1));
  become(shell, words, env);
}
