import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Runs one of the programs, as it was built, to its end. */
export function programRun(name: string, args: readonly string[], cwd: string, input = "") {
  const program = fileURLToPath(new URL(`../../dist/bundle/${name}.js`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    ...{ cwd, input, encoding: "utf8", timeout: 60_000 },
  });
  return { status, stdout, stderr };
}
