// bundled.mjs FILE.tgz: what is bundled in a packed package is what package-lock.json pins, all of it and nothing else.
// What root runs was named by hash before it was fetched (npm ci compares), and no version is chosen where it is installed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const locked = json("package-lock.json").packages;
const dir = mkdtempSync(join(tmpdir(), "bundled-"));
const found = new Map();
try {
  const wanted = ["--wildcards", "*node_modules/*/package.json"];
  execFileSync("tar", ["-xzf", process.argv[2], "-C", dir, ...wanted]);
  for (const path of readdirSync(join(dir, "package"), { recursive: true }))
    if (/(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path))
      found.set(dirname(path), json(join(dir, "package", path)).version);
} finally {
  rmSync(dir, { recursive: true });
}
const problems = [];
for (const [place, version] of found) {
  const { version: pinned, integrity, dev } = locked[place] ?? {};
  if (version !== pinned || dev || !integrity?.startsWith("sha512-"))
    problems.push(`${place} ${version} is bundled, the lockfile has ${pinned ?? "none"}`);
}
for (const [place, { dev, optional }] of Object.entries(locked))
  if (place !== "" && !dev && !optional && !found.has(place)) problems.push(`${place} is not bundled`);
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(`${found.size} packages are bundled, as package-lock.json pins them`);
