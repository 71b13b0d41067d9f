// Joins the modules of each program and thread into one file: a quarter less start-up time than loading them
// one by one (docs/performance.md). Packages stay packages.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { rolldown } from "rolldown";

/** Each loads only its own file; a chunk in common would be one file more for both. */
const ENTRIES = {
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
  worker: "src/session/worker.ts",
  "readahead-thread": "src/session/readahead-thread.ts",
  "fail-all-thread": "src/session/fail-all-thread.ts",
};

/** They load some parts only when those are needed; threads need all of theirs. */
const PROGRAMS = new Set(["nydusd-ts", "nydus-image-ts", "nydus-snapshotter-ts", "start"]);

/**
 * What a program always loads is one file, however many of the later parts share something of it: each file costs
 * milliseconds. The entry is not in it: a part that is loaded later would wait for the end of the program.
 */
const always = (entry) => ({ name: "always", tags: ["$initial"], test: (id) => id !== entry });

/** V8 keeps a file with any other character in two bytes a character, and scans it for longer. Only literals have some. */
const toAscii = (code) =>
  code.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Writes `dist/bundle/<entry>.js`; threads are found there by the name they have in src/daemon, too. */
export async function bundle(root) {
  const dir = join(root, "dist/bundle");
  rmSync(dir, { recursive: true, force: true });
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const build = await rolldown({
      input: { [name]: join(root, entry) },
      platform: "node",
      external: /^[^./]/,
      cwd: root,
    });
    await build.write({
      dir,
      format: "esm",
      // They were a third of what is read and compiled at each start.
      comments: false,
      entryFileNames: "[name].js",
      chunkFileNames: `${name}-[name].js`,
      codeSplitting: PROGRAMS.has(name) ? { groups: [always(join(root, entry))] } : true,
    });
    await build.close();
  }
  for (const file of readdirSync(dir))
    writeFileSync(join(dir, file), toAscii(readFileSync(join(dir, file), "utf8")));
  for (const script of ["bin/launch.sh", "src/handover/keeper.sh"])
    cpSync(join(root, script), join(dir, basename(script)));
}
