import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const TOOLS = fileURLToPath(new URL("../../.cache/tools/", import.meta.url));

/** A program of Go that judges, built from its modules by name and version, kept between runs. */
export interface GoProgram {
  readonly path: string;
  /** Builds it when it is older than its source. @returns why it cannot be had */
  absent(): string | undefined;
}

interface GoSource {
  readonly name: string;
  /** The directory of its module. */
  readonly source: string;
  /** `build`, or `test -c` for a program of tests. */
  readonly build: readonly string[];
  /** For the reason. */
  readonly what: string;
}

export function goProgram({ name, source, build, what }: GoSource): GoProgram {
  const path = join(TOOLS, name);
  const isBuilt = () =>
    existsSync(path) &&
    readdirSync(source)
      .filter((file) => /^go\.(mod|sum)$|\.go$/.test(file))
      .every((file) => statSync(join(source, file)).mtimeMs < statSync(path).mtimeMs);
  return {
    path,
    absent: () => {
      if (isBuilt()) return undefined;
      mkdirSync(TOOLS, { recursive: true });
      try {
        execFileSync("go", [...build, "-o", `${path}.${process.pid}`, "."], { cwd: source, stdio: "pipe" });
      } catch (error) {
        return `Go cannot build ${what}: ${String(error).split("\n")[0]}`;
      }
      renameSync(`${path}.${process.pid}`, path);
      return undefined;
    },
  };
}
