import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Finding, fuzz } from "./engine.ts";
import { Guard } from "./guard.ts";
import type { Target } from "./target.ts";
import { TARGETS } from "./targets.ts";

/*
 * npm run fuzz -- TARGET [--seconds N] [--runs N] [--seed N] [--unguided] [--findings DIR]
 * npm run fuzz -- TARGET FILE…    runs inputs that were found
 */
const options = {
  seconds: { type: "string", default: "60" },
  runs: { type: "string", default: "Infinity" },
  seed: { type: "string", default: String(Date.now() % 2 ** 31) },
  unguided: { type: "boolean", default: false },
  findings: { type: "string", default: join(tmpdir(), "nydusd-ts-findings") },
} as const;
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const [name, ...files] = positionals;
const make = TARGETS.get(name);
if (make === undefined) {
  process.stderr.write(
    `${name === undefined ? "no target" : `no target ${name}`}; there are: ${[...TARGETS.keys()].join(" ")}\n`,
  );
  process.exit(2);
}
const say = (what: object) => process.stderr.write(`${JSON.stringify(what)}\n`);

// Where files cost no disk, when there is such a place: they are made and synced a thousand times a second.
const dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "nydusd-ts-fuzz-"));
mkdirSync(values.findings, { recursive: true });
const target = await make(dir);
const guard = await Guard.start(Math.max(target.longest, 1 << 20), {
  dir: values.findings,
  scratch: dir,
  memory: target.memory,
});
let status = 0;
try {
  if (files.length > 0) await replay(target, files);
  else {
    const [seed, runs, seconds] = [values.seed, values.runs, values.seconds].map(Number);
    const limits = { seed, runs, ms: 1000 * seconds, isGuided: !values.unguided };
    say({ target: name, ...limits });
    const tally = await fuzz(target, guard, limits, say);
    process.stdout.write(`${JSON.stringify({ target: name, seed: limits.seed, ...tally })}\n`);
  }
} catch (error) {
  if (!(error instanceof Finding)) throw error;
  const path = join(
    values.findings,
    `${name}-${createHash("sha256").update(error.input).digest("hex").slice(0, 12)}`,
  );
  writeFileSync(path, error.input);
  say({ finding: error.message.split("\n")[0], input: path });
  process.stderr.write(`${error.message}\n`);
  status = 1;
} finally {
  await guard.stop();
  await target.close?.();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(status);

async function replay(of: Target, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const input = Uint8Array.from(readFileSync(path));
    guard.hold(input);
    try {
      say({ path, verdict: await of.run(input) });
    } catch (error) {
      throw new Finding(input, error);
    }
  }
}
