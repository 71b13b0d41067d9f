import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Runs one of the programs, as it was built, to its end. */
export function programRun(name: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}) {
  const program = fileURLToPath(new URL(`../../dist/bundle/${name}.js`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    ...{ cwd, encoding: "utf8", timeout: 60_000 },
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}
