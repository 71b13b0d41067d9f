import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { goProgram } from "../support/go-program.ts";
import { NO_CONTAINERS } from "../support/containers/engines.ts";

const PROGRAM = goProgram({
  name: "snapshotter-suite",
  source: fileURLToPath(new URL("suite", import.meta.url)),
  build: ["test", "-c"],
  what: "containerd's tests of snapshotters",
});
/** Of the whole suite, s. */
const SECONDS = 240;

/** Why containerd's own tests of snapshotters cannot be run here. */
export const suiteAbsent = (): string | undefined => NO_CONTAINERS ?? PROGRAM.absent();

/** What the suite has found. */
export interface SuiteResult {
  readonly passed: readonly string[];
  /** Failed, or left out. */
  readonly others: readonly string[];
  readonly output: string;
}

/** @param env what is tested, see suite/suite_test.go */
export async function runSuite(env: Readonly<Record<string, string>>, tmpdir: string): Promise<SuiteResult> {
  const words = ["-k", "5", `${SECONDS}`, PROGRAM.path, "-test.root", "-test.v", "-test.parallel", "2"];
  const child = spawn("timeout", words, { env: { ...process.env, ...env, TMPDIR: tmpdir } });
  const said: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => said.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  await new Promise((resolve) => child.once("close", resolve));
  const output = Buffer.concat(said).toString();
  const named = (result: string) =>
    [...output.matchAll(new RegExp(`^ +--- ${result}: TestSnapshotter/(\\S+)`, "gm"))].map(
      ([, name]) => name,
    );
  return { passed: named("PASS"), others: named("(?:FAIL|SKIP)"), output };
}
