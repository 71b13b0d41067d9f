// npm run pack:exe: makes dist/nydusd-ts-VERSION-linux-ARCH, an executable with Node, every program and all that they need in it
// (docs/decisions/0031-one-file.md), and beside it their licences. The Node is the one that runs this.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject } from "postject";
import { files, scripts } from "./bundle-one-file.mjs";
import { copyright } from "./copyright.mjs";
import { packed } from "./packed.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const work = join(root, "dist/one-file");
const BUILD = join(root, "dist/bundle/build.json");
const here = fileURLToPath(new URL("./compiled-code.mjs", import.meta.url));

/** What is run while the code of a program is compiled that comes along: as much as goes without a mount. */
const RUNS = {
  "nydusd-ts.js": ["mount", join(work, "missing.tar"), join(work, "missing")],
  "nydus-image-ts.js": ["ls", join(work, "missing.tar")],
  "nydusctl-ts.js": ["-S", join(work, "missing.sock"), "info"],
  "nydus-snapshotter-ts.js": ["--version"],
};
/** Where Node looks whether there is something in it. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

const { version } = JSON.parse(readFileSync(BUILD, "utf8"));
const executable = packed(root, version);

rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
const assets = {};
const add = (name, bytes) => {
  assets[name] = join(work, name);
  mkdirSync(dirname(assets[name]), { recursive: true });
  writeFileSync(assets[name], bytes);
};

const digests = {};
for (const [name, bytes] of Object.entries(files(root))) {
  add(name, bytes);
  digests[name] = createHash("sha256").update(bytes).digest("hex");
}
add("manifest.json", JSON.stringify({ files: digests }));
add("build.json", readFileSync(BUILD));
for (const [name, code] of Object.entries(await scripts(root))) {
  add(name, code);
  if (name === "main.js") continue;
  const cache = join(work, `${name}.cache`);
  try {
    const env = { ...process.env, XDG_CACHE_HOME: work };
    const args = [here, assets[name], cache, BUILD, ...(RUNS[name] ?? [])];
    execFileSync(process.execPath, args, { stdio: "ignore", env });
  } catch (error) {
    // What is not there is an error to a program, which has said so.
    if (!existsSync(cache)) throw error;
  }
  assets[`${name}.cache`] = cache;
}

const config = join(work, "sea.json");
const output = join(work, "blob");
const sea = {
  main: assets["main.js"],
  output,
  assets,
  disableExperimentalSEAWarning: true,
  useCodeCache: true,
};
writeFileSync(config, JSON.stringify(sea));
execFileSync(process.execPath, ["--experimental-sea-config", config], {
  stdio: ["ignore", "ignore", "inherit"],
});

const made = join(work, "executable");
copyFileSync(process.execPath, made);
chmodSync(made, 0o755);
// It tells of notes of other tools, whose names it does not know.
const { warn } = console;
console.warn = () => {};
await inject(made, "NODE_SEA_BLOB", readFileSync(output), { sentinelFuse: FUSE });
console.warn = warn;
renameSync(made, executable);
writeFileSync(`${executable}.copyright`, copyright(root));
rmSync(work, { recursive: true });
console.log(`${executable} ${Math.round(statSync(executable).size / 1e6)} MB`);
