import { cpSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { shell, workDir } from "../support/daemon.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ROOM = join(ROOT, "src/containerd");
const PLUGIN = join(
  dirname(createRequire(import.meta.url).resolve("@bufbuild/protoc-gen-es/package.json")),
  "bin/protoc-gen-es",
);

/** Makes src/containerd/gen anew; the same words do it by hand. */
const GENERATE = `protoc -I "$1/proto" --plugin=protoc-gen-es="$2" --es_out=src/containerd/gen \\
  --es_opt=target=ts,import_extension=ts "$1"/proto/*.proto && "$3" format --write src >/dev/null 2>&1`;

it("messages are what their .proto files say", async () => {
  const dir = workDir();
  const made = join(dir, "src/containerd/gen");
  mkdirSync(made, { recursive: true });
  cpSync(join(ROOT, ".biome.json"), join(dir, ".biome.json"));
  const biome = join(ROOT, "node_modules/.bin/biome");
  const words = [dir, ROOM, PLUGIN, biome];
  expect(await shell(`cd "$1"; shift; ${GENERATE}`, ...words)).toMatchObject({ status: 0, stderr: "" });
  const names = readdirSync(made).sort();
  expect(names.length).toBeGreaterThan(4);
  expect(readdirSync(join(ROOM, "gen")).sort()).toEqual(names);
  for (const name of names)
    expect(readFileSync(join(ROOM, "gen", name), "utf8")).toBe(readFileSync(join(made, name), "utf8"));
});
