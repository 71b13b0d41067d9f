// Joins the modules of each program and thread into one file: a quarter less start-up time than loading them
// one by one (docs/performance.md). Packages stay packages, but where JOINED names them.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { rolldown } from "rolldown";

/** Packages of many modules, which are joined, too, in what has to answer soon (docs/decisions/0045-first-answer.md). */
const JOINED = {
  "nydus-snapshotter-ts": /^(@bufbuild\/protobuf|@connectrpc\/connect(-node)?|commander)(\/|$)/,
};

/** Each loads only its own file; a chunk in common would be one file more for both. */
export const ENTRIES = {
  "nydusd-ts": "bin/nydusd-ts.ts",
  "nydus-image-ts": "bin/nydus-image-ts.ts",
  "nydusctl-ts": "bin/nydusctl-ts.ts",
  "nydus-snapshotter-ts": "bin/nydus-snapshotter-ts.ts",
  start: "bin/start.ts",
  "hash-thread": "src/mkfs/hash-thread.ts",
  "hash-disk-thread": "src/block/hash-disk-thread.ts",
  "layer-thread": "src/mkfs/layer-thread.ts",
  "store-thread": "src/layer-store/store-thread.ts",
  "image-thread": "src/snapshotter/image-thread.ts",
  "disk-thread": "src/snapshotter/disk-thread.ts",
  worker: "src/session/worker.ts",
  "readahead-thread": "src/session/readahead-thread.ts",
  "fail-all-thread": "src/session/fail-all-thread.ts",
};

/**
 * Programs load some parts only when those are needed; threads need all of theirs. Each part here is one file: what it needs and
 * those before it have not. What all others have in common would be many, of some lines each.
 */
const PROGRAMS = {
  "nydusd-ts": [
    "src/daemon/unmount-image.ts",
    "bin/mounting.ts",
    "src/daemon/main.ts",
    "src/source/image-of-layers.ts",
  ],
  "nydus-image-ts": ["src/mkfs/create-from.ts", "src/inspect/check.ts"],
  "nydus-snapshotter-ts": [
    "src/layer-store/layer-store.ts",
    "src/snapshotter/ask.ts",
    "src/snapshotter/snapshotter.ts",
    "src/doctor/examine-snapshotter.ts",
  ],
  start: ["bin/mounting.ts", "src/daemon/main.ts"],
};

/**
 * What a program always loads is one file, however many of the later parts share something of it: each file costs
 * milliseconds. The entry is not in it: a part that is loaded later would wait for the end of the program.
 */
const always = (entry) => ({ name: "always", tags: ["$initial"], test: (id) => id !== entry });

/** The files of `parts`. They are known when the modules are read, before their groups are asked for. */
function filesOf(root, parts) {
  const taken = new Map();
  const take = (id, part, moduleOf) => {
    const module = taken.has(id) ? undefined : moduleOf(id);
    if (module === null || module === undefined) return;
    taken.set(id, part);
    for (const each of module.importedIds) take(each, part, moduleOf);
  };
  const groups = parts.map((part) => ({ name: basename(part, ".ts"), test: (id) => taken.get(id) === part }));
  const plugin = {
    name: "parts",
    buildEnd() {
      for (const part of parts) take(join(root, part), part, (id) => this.getModuleInfo(id));
    },
  };
  return { groups, plugin };
}

/** V8 keeps a file with any other character in two bytes a character, and scans it for longer. Only literals have some. */
export const toAscii = (code) =>
  code.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);

const FACADE = /^export \{ ([^}]+) \} from "(\.\/[^"]+)";\s*$/;

/**
 * A part that others need something of, too, is imported by a file of one line that leaves that away: a millisecond for each.
 *
 * @param files by their names
 */
function withoutFacades(files) {
  for (const [name, code] of [...files]) {
    const [, names, from] = FACADE.exec(code) ?? [];
    if (names === undefined) continue;
    const pairs = names.split(", ").map((each) => each.split(" as "));
    const taken = pairs.map(([its, ours = its]) => `${ours}: part.${its}`).join(", ");
    const whole = `import("${from}").then((part) => ({ ${taken} }))`;
    for (const [other, text] of files) files.set(other, text.replaceAll(`import("./${name}")`, whole));
    files.delete(name);
  }
  return files;
}

/** Writes `dist/bundle/<entry>.js`; threads are found there by the name they have in src/daemon, too. */
export async function bundle(root) {
  const dir = join(root, "dist/bundle");
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const { groups, plugin } = filesOf(root, PROGRAMS[name] ?? []);
    const build = await rolldown({
      input: { [name]: join(root, entry) },
      plugins: [plugin],
      platform: "node",
      external: (id) => /^[^./]/.test(id) && !(JOINED[name]?.test(id) ?? false),
      cwd: root,
    });
    const { output } = await build.generate({
      format: "esm",
      // They were a third of what is read and compiled at each start.
      comments: false,
      entryFileNames: "[name].js",
      chunkFileNames: `${name}-[name].js`,
      codeSplitting: name in PROGRAMS ? { groups: [always(join(root, entry)), ...groups] } : true,
    });
    await build.close();
    const files = withoutFacades(new Map(output.map(({ fileName, code }) => [fileName, code])));
    for (const [file, code] of files) writeFileSync(join(dir, file), toAscii(code));
  }
  for (const script of ["bin/launch.sh", "src/handover/keeper.sh"])
    cpSync(join(root, script), join(dir, basename(script)));
}
