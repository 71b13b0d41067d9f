import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Each folder of src/ is a room, and so is bin/: rooms and npm packages it may import, types included. */
const ROOMS: Record<string, readonly string[]> = {
  bytes: [],
  "safe-open": ["bytes"],
  vfs: ["bytes"],
  counters: ["bytes"],
  erofs: ["bytes"],
  blob: ["safe-open", "bytes", "npm:lru-cache"],
  fs: ["vfs", "erofs", "blob", "safe-open", "bytes"],
  pseudo: ["vfs", "bytes"],
  "atomic-file": ["bytes"],
  tar: ["bytes", "npm:fzstd"],
  trace: ["bytes"],
  prefetch: ["trace", "fs", "erofs", "blob", "vfs", "counters", "bytes"],
  mkfs: ["tar", "erofs", "atomic-file", "bytes"],
  proc: ["bytes"],
  handover: ["proc", "atomic-file", "bytes"],
  source: ["mkfs", "tar", "atomic-file", "erofs", "safe-open", "bytes", "npm:zod"],
  mounts: ["bytes"],
  syscalls: ["bytes", "npm:koffi"],
  "kernel-erofs": ["syscalls", "mounts", "fs", "erofs", "blob", "vfs", "bytes"],
  fuse: ["mounts", "vfs", "counters", "bytes"],
  prometheus: ["counters", "bytes", "npm:prom-client"],
  "fuse-native": ["vfs", "counters", "bytes", "npm:fuse-native", "npm:lru-cache"],
  api: ["bytes", "npm:fastify", "npm:zod"],
  ctl: ["api", "bytes"],
  log: ["safe-open", "bytes"],
  session: [
    ...[
      "fs",
      "fuse",
      "fuse-native",
      "pseudo",
      "prefetch",
      "trace",
      "mounts",
      "erofs",
      "blob",
      "counters",
      "vfs",
    ],
    ...["handover", "proc", "log", "safe-open", "bytes"],
  ],
  daemon: [
    ...[
      "handover",
      "proc",
      "syscalls",
      "session",
      "fs",
      "fuse",
      "kernel-erofs",
      "mounts",
      "erofs",
      "blob",
      "counters",
      "vfs",
      "log",
      "bytes",
    ],
    ...["pseudo", "api", "prometheus", "prefetch", "npm:smol-toml", "npm:zod"],
  ],
  inspect: ["fs", "erofs", "blob", "tar", "atomic-file", "safe-open", "vfs", "bytes", "npm:tar-stream"],
  doctor: ["kernel-erofs", "syscalls", "fuse", "mounts", "fs", "blob", "mkfs", "tar", "inspect", "bytes"],
  bin: [
    ...[
      "daemon",
      "session",
      "handover",
      "proc",
      "log",
      "mkfs",
      "inspect",
      "source",
      "doctor",
      "ctl",
      "trace",
      "bytes",
    ],
    ...["npm:commander", "npm:cli-progress"],
  ],
};

/** Parts of Node that not everybody may touch, and the rooms or files that may. Others are free. */
const BUILTINS: Record<string, readonly string[]> = {
  fs: [
    ...[
      "safe-open",
      "blob",
      "erofs/meta-file",
      "fs/open-image",
      "tar",
      "mkfs",
      "atomic-file",
      "source",
      "mounts",
      "syscalls",
      "kernel-erofs",
      "doctor",
      "fuse",
      "fuse-native",
      "log",
      "session",
      "handover",
      "proc",
      "daemon",
      "inspect",
      "api/listen",
      "ctl/mount",
      "api/pace",
      "trace/summary",
      "prefetch/list",
      "prometheus/process-metrics",
    ],
    ...["bin/start", "bin/image-build"],
  ],
  http: ["prometheus/http", "api/server", "ctl/client"],
  child_process: ["tar", "mounts", "doctor/host", "fuse", "fuse-native", "session", "daemon"],
  worker_threads: ["mkfs/hash", "mkfs/hash-thread", "mkfs/create-layers", "mkfs/layer-thread", "session"],
  module: [], // createRequire would hide imports from this test
};

/** Whatever follows `from`, `import` and `import(`, and the file of a worker thread. */
const IMPORT = /(?<!\.)\b(?:from|import)\s*\(?\s*"([^"]+)"|new URL\("([^"]+\.[jt]s)"/g;
const COMPUTED = /\bimport\s*\((?!\s*")|\brequire\b/;

/** `src/erofs/image.ts` is `erofs/image`. */
interface File {
  readonly path: string;
  readonly name: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function file(path: string, text: string): File {
  const name = path.replace(/^src\//, "").replace(/\.ts$/, "");
  const imports = [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2]);
  return { path, name, room: name.split("/")[0], text, imports };
}

/** Paths of the TypeScript files below a directory. */
const below = (dir: string): string[] =>
  readdirSync(join(ROOT, dir), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => join(dir, path));

const files = Object.keys(ROOMS)
  .flatMap((room) => below(room === "bin" ? "bin" : `src/${room}`))
  .map((path) => file(path, readFileSync(join(ROOT, path), "utf8")));

/** What an import leads to, as the tables write it: a room, or an npm package. */
function target({ path }: File, specifier: string): string {
  if (specifier.startsWith("."))
    return join(dirname(path), specifier)
      .replace(/^src\//, "")
      .split("/")[0];
  const parts = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1);
  return `npm:${parts.join("/")}`;
}

function isAllowed(from: File, specifier: string): boolean {
  if (isBuiltin(specifier)) {
    const who = BUILTINS[specifier.replace(/^node:/, "").split("/")[0]];
    return (
      specifier.startsWith("node:") &&
      (who === undefined || [from.room, from.name].some((x) => who.includes(x)))
    );
  }
  const to = target(from, specifier);
  return to === from.room || ROOMS[from.room].includes(to);
}

/** Every import that the tables do not allow. */
const wrong = (of: readonly File[]): string[] =>
  of.flatMap((from) =>
    from.imports.filter((x) => !isAllowed(from, x)).map((specifier) => `${from.name} -> ${specifier}`),
  );

describe("rooms", () => {
  it("are the folders of src/, nothing lies beside them, and every file was seen", () => {
    const all = [...below("src"), ...below("bin")].sort();
    expect(files.map(({ path }) => path).sort()).toEqual(all);
    expect(files.length).toBeGreaterThan(40);
    expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(150);
  });

  it("import only what they may", () => expect(wrong(files)).toEqual([]));

  it("import by literal names only", () =>
    expect(files.filter(({ text }) => COMPUTED.test(text)).map(({ name }) => name)).toEqual([]));
});

describe("a wrong arrow is found", () => {
  const cases = [
    { path: "src/erofs/image.ts", text: 'import type { Op } from "../fuse/ops.ts";', want: "../fuse/ops.ts" },
    { path: "src/bytes/u64.ts", text: 'export * from "../vfs/data-order.ts";', want: "../vfs/data-order.ts" },
    { path: "src/fs/deep/er.ts", text: 'import "../../daemon/run.ts";', want: "../../daemon/run.ts" },
    {
      path: "src/fuse/ops.ts",
      text: 'import {\n  a,\n} from "../erofs/image.ts";',
      want: "../erofs/image.ts",
    },
    { path: "src/fuse/ops.ts", text: 'await import("../fs/xattrs.ts")', want: "../fs/xattrs.ts" },
    { path: "src/fuse/ops.ts", text: 'new URL("../session/worker.js", x)', want: "../session/worker.js" },
    { path: "src/daemon/run.ts", text: 'import "../../bin/options.ts";', want: "../../bin/options.ts" },
    {
      path: "src/daemon/run.ts",
      text: 'import "../../test/support/tree.ts";',
      want: "../../test/support/tree.ts",
    },
    { path: "bin/start.ts", text: 'import "../src/fuse/ops.ts";', want: "../src/fuse/ops.ts" },
    { path: "src/erofs/image.ts", text: 'import { x } from "node:fs/promises";', want: "node:fs/promises" },
    { path: "src/fs/xattrs.ts", text: 'import "node:child_process";', want: "node:child_process" },
    { path: "src/blob/locate.ts", text: 'import "fs";', want: "fs" },
    { path: "src/fs/xattrs.ts", text: 'import { z } from "zod/v4";', want: "zod/v4" },
    { path: "src/daemon/run.ts", text: 'import "fuse-native";', want: "fuse-native" },
  ];
  it.each(cases)("$path -> $want", ({ path, text, want }) => {
    const from = file(path, text);
    expect(wrong([from])).toEqual([`${from.name} -> ${want}`]);
  });

  it("also where its name is computed", () => {
    expect(COMPUTED.test("await import(path)")).toBe(true);
    expect(COMPUTED.test('createRequire(import.meta.url)("fs"); require("x")')).toBe(true);
    expect(COMPUTED.test('await import("./native.ts")')).toBe(false);
  });
});
