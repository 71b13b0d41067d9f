// Makes a fresh clone ready: installs packages when they are missing or the lockfile changed, compiles when
// a source is newer than what was compiled. Plain JavaScript, because it runs before anything is there.
//   --test        also what tests need of the machine, see test/install.sh
//   --build-only  installs nothing: for an install that has no compiler
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const compiler = join(root, "node_modules/typescript/bin/tsc");
const flags = process.argv.slice(2);

const say = (message) => process.stderr.write(`nydusd-ts: ${message}\n`);
const fail = (message) => {
  say(message);
  process.exit(1);
};

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node ${process.version} is too old, want 20.19 or newer`);
if (process.platform !== "linux") fail(`${process.platform} has no FUSE as Linux has it; run this on Linux`);

/** What cannot be in a path: for rolldown; for tests, too, vite in an address, and PATH in one of its places. */
const unfit = flags.includes("--test") ? /[?%#:]/ : /[?]/;
const [found] = unfit.exec(root) ?? [];
if (found !== undefined)
  fail(
    `${JSON.stringify(root)} has a ${found}, below which ${flags.includes("--test") ? "tests cannot run" : "nothing can be built"}; move this clone`,
  );

/** Of the file, or of the newest below a directory, in ms. */
const changed = (path) => {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => changed(join(path, name))));
};

function install() {
  const done = join(root, "node_modules/.package-lock.json");
  const lock = join(root, "package-lock.json");
  // An install for production has no compiler.
  if (existsSync(done) && existsSync(compiler) && changed(done) >= changed(lock)) return;
  say("installing packages");
  // No script of a package is needed (fuse-native brings its addon), and npm 11 would ask about each.
  const args = ["ci", "--no-fund", "--no-audit", "--ignore-scripts", "--include=dev"];
  const npm = spawnSync("npm", args, {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (npm.error) fail(`npm cannot be run: ${npm.error.message}`);
  if (npm.status !== 0) fail(`npm ci failed:\n${npm.stderr}`);
}

async function build() {
  const start = new Date();
  const done = join(root, "dist/bundle/build.json");
  const sources = ["src", "bin", "test", "benches", "tsconfig.json", "package.json"];
  const newest = Math.max(...sources.map((name) => changed(join(root, name))));
  if (!existsSync(done) || changed(done) < newest) {
    say("compiling");
    const tsc = spawnSync(process.execPath, [compiler, "-p", root], { cwd: root, encoding: "utf8" });
    if (tsc.status !== 0) fail(`tsc failed:\n${tsc.stdout}${tsc.stderr}`);
    const { bundle } = await import("./bundle.mjs"); // not before packages are installed
    await bundle(root);
  } else if (JSON.parse(readFileSync(done, "utf8")).commit === commit()) return;
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const info = { version, commit: commit(), time: start.toISOString(), checker: checker() };
  writeFileSync(done, `${JSON.stringify(info)}\n`);
  utimesSync(done, start, start); // what was saved while the compiler ran is newer
}

/** sha256 of the code by which an image is found to be right: what another one found is not believed. */
function checker() {
  const hash = createHash("sha256");
  for (const room of ["bytes", "erofs", "fs", "verdict"])
    for (const name of readdirSync(join(root, "src", room)).sort())
      hash.update(`${name}\n`).update(readFileSync(join(root, "src", room, name)));
  return hash.digest("hex");
}

function commit() {
  try {
    return execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .trim();
  } catch {
    return "unknown";
  }
}

function prepareTests() {
  const sh = spawnSync("sh", [join(root, "test/install.sh")], { stdio: ["ignore", "inherit", "inherit"] });
  if (sh.status !== 0) process.exit(sh.status ?? 1);
}

if (flags.includes("--build-only")) {
  if (existsSync(compiler)) await build();
} else {
  install();
  await build();
  if (flags.includes("--test")) prepareTests();
}
