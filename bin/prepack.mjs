// Run by `npm pack` and `npm publish` before they read node_modules: makes the packages that are bundled with this one
// (bundleDependencies) such that npm installs them anywhere, without a compiler, Python or a network. What is in
// node_modules afterwards still builds and tests this clone. Why: docs/decisions/0028-one-package.md.
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const json = (path) => JSON.parse(readFileSync(join(root, path), "utf8"));

/** npm runs them, or asks about them, while it installs; it runs node-gyp where there is a binding.gyp. */
const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall"];
/** Not needed to run: sources of addons that come compiled, maps, tests, … */
const UNNEEDED_FILES =
  /\.(map|c|cc|cpp|h|hh|inc|gyp)$|^(test|bench|benchmark|example)\.([cm]?js|html)$|[.-](test|bench)(-d)?\.[cm]?[jt]s$/;
const TESTS = /^(__tests__|tests?|bench|benchmarks?)$/;
/** Only right below a package: deeper, a name like `doc` may be part of the program. */
const UNNEEDED_DIRECTORIES = /^(\.github|\.vscode|integration|examples?|docs?|vendor|osxfuse)$/;
/** Of addons for several systems; the package is for the one that it is packed on. */
const PREBUILDS = "prebuilds";
const PREBUILT = `${process.platform}-${process.arch}`;

/** A new file: other clones may share the old one by a hard link. */
function replace(path, contents) {
  writeFileSync(`${path}.new`, contents);
  renameSync(`${path}.new`, path);
}

/** Those whose scripts are known not to be needed; see package.json. */
const scriptless = json("package.json").allowScripts;

function dropScripts(path, name) {
  const manifest = json(join(path, "package.json"));
  const found = INSTALL_SCRIPTS.filter((script) => manifest.scripts?.[script] !== undefined);
  if (found.length === 0) return;
  if (scriptless[name] !== false)
    throw new Error(
      `${name} has a script "${found[0]}": see whether it works without, then add it to allowScripts`,
    );
  for (const script of found) delete manifest.scripts[script];
  delete manifest.gypfile;
  replace(join(root, path, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** fuse-shared-library-linux has scripts with that bit; Linux ignores it there, but who looks for such files is alarmed. */
function dropSetuid(path) {
  const { mode } = statSync(path);
  if ((mode & 0o6000) !== 0) chmodSync(path, mode & 0o777);
}

/** Of one package; what lies in its node_modules are packages of their own. */
function dropUnneeded(directory, isTop = true) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (!entry.isDirectory()) {
      if (UNNEEDED_FILES.test(entry.name)) rmSync(path);
      else dropSetuid(path);
    } else if (entry.name === "node_modules") {
    } else if (entry.name === PREBUILDS) {
      for (const name of readdirSync(path))
        if (name !== PREBUILT) rmSync(join(path, name), { recursive: true });
    } else if (TESTS.test(entry.name) || (isTop && UNNEEDED_DIRECTORIES.test(entry.name)))
      rmSync(path, { recursive: true });
    else dropUnneeded(path, false);
  }
}

// Written by npm: what it has installed, and for what.
for (const [path, { dev }] of Object.entries(json("node_modules/.package-lock.json").packages)) {
  if (dev) continue;
  dropScripts(path, path.replace(/^.*node_modules\//, ""));
  dropUnneeded(join(root, path));
}
