import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, type Step } from "./page.ts";
import { WAIT_FOR } from "../support/wait-for.ts";

/** What a command printed, by line, and how it ended. */
export interface Shown {
  readonly output: readonly string[];
  readonly status: number;
}

const PATIENCE_S = 250;
/** After each command: its exit status. */
const MARK = /\r?\n␞(\d+)\r?\n/;

const ESC = String.fromCharCode(27);
const ESCAPES = new RegExp(`${ESC}(?:\\[[?\\d;]*[A-Za-z]|[78])`, "g");
const CLEARED = new RegExp(`.*${ESC}\\[2K`, "g");

/**
 * Runs commands one after another, in one shell on a terminal. Its mounts and processes are in namespaces of their
 * own, and end with it: /mnt and /run are empty, and the working directory is /srv.
 */
export async function type(setup: readonly Step[], steps: readonly Step[]): Promise<Shown[]> {
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-docs-"));
  try {
    for (const name of ["srv", "home", "bin"]) mkdirSync(join(dir, name));
    for (const name of ["nydusd-ts", "nydus-image-ts", "nydusctl-ts"])
      symlinkSync(join(ROOT, `bin/${name}.mjs`), join(dir, "bin", name));
    const file = join(dir, "commands");
    writeFileSync(file, scriptOf(dir, [...setup, ...steps]));
    await run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"], dir, file);
    const [, ...parts] = readFileSync(join(dir, "typescript"), "utf8").split(MARK);
    const shown = [...setup, ...steps].map((step, i) => {
      const text = parts[2 * i + 1];
      if (text === undefined) throw new Error(`${step.page}:${step.line}: the shell did not get there`);
      const lines = seen(text).replaceAll(join(dir, "home"), "/root").split("\n");
      return { output: lines.at(-1) === "" ? lines.slice(0, -1) : lines, status: Number(parts[2 * i + 2]) };
    });
    return shown.slice(setup.length);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** What stays on the screen: a line that was cleared is what came after that. */
const seen = (text: string): string => text.replaceAll("\r", "").replace(CLEARED, "").replace(ESCAPES, "");

const scriptOf = (dir: string, steps: readonly Step[]): string => `
stty cols 120 -echo
mount -t tmpfs tmpfs /mnt && mount -t tmpfs tmpfs /run && mount --bind "${dir}/srv" /srv && cd /srv || exit
mkdir /mnt/rootfs
umount -l -a -t fuse.nydusd-ts,erofs 2>/dev/null # of tests beside this one, which "ls" would list
export HOME="${dir}/home" PATH="${dir}/bin:$CLONE.cache/tools:$PATH:/usr/sbin:/sbin" LC_ALL=C.UTF-8 PS1='$ '
unset TMPDIR XDG_RUNTIME_DIR XDG_CACHE_HOME NO_COLOR CI
${WAIT_FOR}
# Packages are installed and compiled already; a finger on Ctrl-C follows.
npm() {
  (cd "$CLONE" && exec node dist/bundle/start.js) >"$HOME/started" 2>&1 &
  wait_for grep -q 'Ctrl-C' "$HOME/started"
  kill -INT $!
  wait $!
  sed 's/Ctrl-C\\.$/&\\n^C/' "$HOME/started"
}
printf '\\n␞%s\\n' 0
${steps.map(({ command }) => `${command}\n__status=$?; printf '\\n␞%s\\n' $__status; (exit $__status)`).join("\n")}
`;

const run = (namespace: readonly string[], dir: string, file: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const [program = "", ...args] = ["timeout", "-k", "5", `${PATIENCE_S}`, ...namespace];
    const child = spawn(
      program,
      [...args, "script", "-qefc", `bash --norc "${file}"`, join(dir, "typescript")],
      { stdio: "ignore", env: { ...process.env, CLONE: ROOT } },
    );
    child.on("error", reject);
    child.on("close", () => resolve());
  });
