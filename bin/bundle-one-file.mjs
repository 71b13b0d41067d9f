// Joins everything that a program or thread needs, packages, too, into one script that the executable with all in it can run
// (docs/decisions/0031-one-file.md): CommonJS, because Node compiles modules from files only. What a program finds beside
// itself elsewhere it asks `__parts` for (src/one-file/parts.ts).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { ENTRIES, toAscii } from "./bundle.mjs";

/** Addons, by the package that loads them, as the system has them. */
const TARGET = `${process.platform}-${process.arch}`;
const LMDB = `node_modules/@lmdb/lmdb-${TARGET}/node.napi.glibc.node`;
const MSGPACKR = `node_modules/@msgpackr-extract/msgpackr-extract-${TARGET}/node.napi.glibc.node`;
const ADDONS = {
  koffi: `node_modules/@koromix/koffi-${TARGET}/${TARGET.replace("-", "_")}/koffi.node`,
  "fuse-native": `node_modules/fuse-native/prebuilds/${TARGET}/node.napi.node`,
  lmdb: LMDB,
  "msgpackr-extract": MSGPACKR,
};

/** Files that are assets, by their names in there: a part has no other name than a path ends in. */
const FILES = {
  "keeper.sh": "src/handover/keeper.sh",
  "nydus-snapshotter-ts.socket": "docs/systemd/nydus-snapshotter-ts.socket",
  "nydus-snapshotter-ts.service": "docs/systemd/nydus-snapshotter-ts.service",
  [`prebuilds/${TARGET}/libfuse.so`]: `node_modules/fuse-native/prebuilds/${TARGET}/libfuse.so`,
  ...Object.fromEntries(Object.entries(ADDONS).map(([name, path]) => [`${name}.node`, path])),
};

/** What finds something beside itself, and what stands there instead. */
const CALLS = [
  [/readFileSync\(new URL\(("[^"]+\.json"), import\.meta\.url\), "utf8"\)/g, "__parts.text($1)"],
  [/new URL\(("[^"]+"|`[^`]+`), import\.meta\.url\)/g, "__parts.url($1)"],
  [/\bimport\(("node:[^"]+")\)/g, "Promise.resolve(require($1))"],
  [/import\.meta\.resolve\(/g, "__parts.resolve("],
  // Of packages.
  [
    /loadStatic\(pkg\) \?\? loadDynamic\(import\.meta\.dirname, pkg, triplets\)/g,
    '__parts.addon("koffi.node")',
  ],
  [/loadNAPI\(dirName\)/g, '__parts.addon("lmdb.node")'],
  [/require\('node-gyp-build(-optional-packages)?'\)\(__dirname\)/g, '__parts.addon("PACKAGE.node")'],
  [/\bcreateRequire\(import\.meta\.url\)/g, "require"],
  [/(?:dirname\()?fileURLToPath\(import\.meta\.url\)\)?/g, '""'],
];

/** Scripts have no `await` outside of functions; and nobody imports anything but types from what a thread or program begins with. */
const AWAITS = /^(?:\w.*)?\bawait\b/m;
function inFunction(code) {
  const imports = [...code.matchAll(/^(import\b[^;]*|\} from "[^"]+");$/gm)];
  const { index = 0, 0: last = "" } = imports.at(-1) ?? {};
  const end = index + last.length;
  return `${code.slice(0, end)}\n(async () => {${code.slice(end).replace(/^export /gm, "")}\n})();`;
}

const plugin = (entry) => ({
  name: "one-file",
  transform(code, id) {
    const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id) ?? [];
    let changed = code;
    for (const [what, call] of CALLS) changed = changed.replaceAll(what, call.replace("PACKAGE", name));
    if (id === entry && AWAITS.test(code)) changed = inFunction(changed);
    return changed === code ? null : { code: changed };
  },
});

/** @returns the text of a function that the executable calls: see `run` in src/one-file/main.ts */
async function scriptOf(root, path) {
  const input = join(root, path);
  const build = await rolldown({
    ...{ input, plugins: [plugin(input)], platform: "node", cwd: root },
    onLog: (level, { message }) => {
      if (level === "warn" && !/eval/.test(message)) throw new Error(message);
    },
  });
  const { output } = await build.generate({ format: "cjs", comments: false, codeSplitting: false });
  await build.close();
  const [{ code }, more] = output;
  const left = /.*\bimport(?:\.meta|\().*/.exec(code)?.[0];
  if (more !== undefined || left !== undefined)
    throw new Error(`${path}: ${left ?? more.fileName}: an executable of one file has nothing beside itself`);
  return toAscii(code.replace(/^#!.*/, ""));
}

/** @returns scripts by their names: programs and threads for `run`, and what Node begins with, `main.js` */
export async function scripts(root) {
  const { start, ...entries } = ENTRIES;
  const all = { "main.js": await scriptOf(root, "src/one-file/main.ts") };
  for (const [name, path] of Object.entries(entries))
    all[`${name}.js`] =
      `(function (exports, require, module, __dirname, __parts) {${await scriptOf(root, path)}\n})`;
  return all;
}

/** Contents of FILES. */
export const files = (root) =>
  Object.fromEntries(Object.entries(FILES).map(([name, path]) => [name, readFileSync(join(root, path))]));
