import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_timestamp,
} from "@bufbuild/protobuf/wkt";
import { expect, it } from "vitest";
import { shell, workDir } from "../support/daemon.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ROOM = join(ROOT, "src/containerd");
const PLUGIN = join(
  dirname(createRequire(import.meta.url).resolve("@bufbuild/protoc-gen-es/package.json")),
  "bin/protoc-gen-es",
);

/** Google's own messages that ours import: Debian has their .proto files in a package that protoc does without. */
const IMPORTED = [
  file_google_protobuf_any,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_timestamp,
];

/** Makes src/containerd/gen anew. By hand, where protoc has Google's own messages, --descriptor_set_in may be left out. */
const GENERATE = `protoc -I "$1/proto" --descriptor_set_in="$4" --plugin=protoc-gen-es="$2" --es_out=src/containerd/gen \\
  --es_opt=target=ts,import_extension=ts "$1"/proto/*.proto && "$3" format --write src >/dev/null 2>&1`;

it("messages are what their .proto files say", async () => {
  const dir = workDir();
  const made = join(dir, "src/containerd/gen");
  mkdirSync(made, { recursive: true });
  cpSync(join(ROOT, ".biome.json"), join(dir, ".biome.json"));
  const biome = join(ROOT, "node_modules/.bin/biome");
  const imported = join(dir, "imported");
  const set = create(FileDescriptorSetSchema, { file: IMPORTED.map(({ proto }) => proto) });
  writeFileSync(imported, toBinary(FileDescriptorSetSchema, set));
  const words = [dir, ROOM, PLUGIN, biome, imported];
  expect(await shell(`cd "$1"; shift; ${GENERATE}`, ...words)).toMatchObject({ status: 0, stderr: "" });
  const names = readdirSync(made).sort();
  expect(names.length).toBeGreaterThan(4);
  expect(readdirSync(join(ROOM, "gen")).sort()).toEqual(names);
  for (const name of names)
    expect(readFileSync(join(ROOM, "gen", name), "utf8")).toBe(readFileSync(join(made, name), "utf8"));
});
