// Makes a fresh clone ready: installs packages when they are missing or the lockfile changed, compiles when
// a source is newer than what was compiled. Plain JavaScript, because it runs before anything is there.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const fail = (message) => {
  process.stderr.write(`nydusd-ts: ${message}\n`);
  process.exit(1);
};

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node ${process.version} is too old, want 20.19 or newer`);
if (process.platform !== "linux") fail(`${process.platform} has no FUSE as Linux has it; run this on Linux`);

const newest = (path) => {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
};

function install() {
  const stamp = join(root, "node_modules", ".package-lock.json");
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs)
    return;
  process.stderr.write("nydusd-ts: installing packages\n");
  const npm = spawnSync("npm", ["ci", "--no-fund", "--no-audit", "--ignore-scripts"], {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (npm.status !== 0) fail(`npm ci failed:\n${npm.error?.message ?? npm.stderr}`);
}

function build() {
  const done = join(root, "dist", "build.json");
  const sources = ["src", "bin", "test", "benches", "tsconfig.json", "package.json"].map((name) =>
    join(root, name),
  );
  if (existsSync(done) && statSync(done).mtimeMs >= Math.max(...sources.map(newest))) return;
  process.stderr.write("nydusd-ts: compiling\n");
  const tsc = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", root], {
    cwd: root,
    encoding: "utf8",
  });
  if (tsc.status !== 0) fail(`tsc failed:\n${tsc.stdout}${tsc.stderr}`);
  mkdirSync(dirname(done), { recursive: true });
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(done, `${JSON.stringify({ version, commit: commit(), time: new Date().toISOString() })}\n`);
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

install();
build();
