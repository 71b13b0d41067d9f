import child_process from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { bytesOf, holdsBytes } from "../bytes/any-bytes.ts";

/** What `spawn` makes of its arguments: the program's name is the first of `args`. */
interface Spawned {
  file: string;
  args: string[];
  cwd?: string | URL | undefined;
}

const SHELL = "/bin/sh";
/** Makes the bytes again that strings cannot be, and goes to another directory where the call says so. */
const SCRIPT = 'eval "$(printf "$1")"';

/** Programs that are started are given the bytes that strings hold. */
export function openProgramsToBytes(): void {
  const { prototype } = child_process.ChildProcess as unknown as {
    prototype: { spawn(of: Spawned): unknown };
  };
  const { spawn } = prototype;
  prototype.spawn = function (this: unknown, of: Spawned) {
    return spawn.call(this, { ...of, ...byShell(of) });
  };
  const { spawnSync } = child_process;
  child_process.spawnSync = ((program: string, args: readonly string[] = [], options: object = {}) => {
    const { file, args: all, ...where } = byShell({ ...options, file: program, args: [program, ...args] });
    return spawnSync(file, all.slice(1), { ...options, ...where });
  }) as unknown as typeof spawnSync;
}

function byShell(of: Spawned): Spawned {
  const { file, args, cwd } = of;
  const words = typeof cwd === "string" ? [cwd, ...args] : args;
  if (!words.some(holdsBytes) || !isThere(file)) return of;
  const go = typeof cwd === "string" ? `cd ${quoted(cwd)} && ` : "";
  const text = `${go}exec ${[file, ...args.slice(1)].map(quoted).join(" ")}`;
  return { file: SHELL, args: [SHELL, "-c", SCRIPT, SHELL, escaped(text)], cwd: undefined };
}

/** What is not says so itself, in words that the shell does not have. */
const isThere = (file: string): boolean =>
  (file.includes("/") ? [""] : (process.env["PATH"] ?? "").split(delimiter)).some((dir) =>
    existsSync(join(dir, file)),
  );

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** As a format of printf(1), in ASCII. */
const escaped = (text: string): string =>
  Array.from(bytesOf(text), (byte) =>
    /[\w/.= -]/.test(String.fromCharCode(byte))
      ? String.fromCharCode(byte)
      : `\\${byte.toString(8).padStart(3, "0")}`,
  ).join("");
