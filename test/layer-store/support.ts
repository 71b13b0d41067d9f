import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach } from "vitest";
import type { LayerStore } from "../../src/layer-store/layer-store.ts";
import type { LayerSource } from "../../src/layer-store/stored-layer.ts";
import { workDir } from "../support/daemon.ts";

/** Compiled, as its threads are. */
const COMPILED = new URL("../../dist/src/layer-store/layer-store.js", import.meta.url).href;
const compiled = (await import(COMPILED)) as typeof import("../../src/layer-store/layer-store.ts");

export const { keyOf } = compiled.LayerStore;

const opened: LayerStore[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

/** A store that is closed when the test ends, and what it has said. */
export async function openStore(root = join(workDir(), "store")) {
  const said: string[] = [];
  const say = (message: string) => said.push(message);
  const store = await compiled.LayerStore.open(root, { info: say, warn: say });
  opened.push(store);
  return { store, root, said };
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const diffOf = (tar: Uint8Array): string => `sha256:${sha256(tar)}`;

export const zstd = (bytes: Uint8Array): Uint8Array =>
  execFileSync("zstd", ["-q", "-c"], { input: bytes, maxBuffer: 1 << 28 });

/** How blobs are packed, and what an image says of their type then. */
export const PACKED: Record<string, readonly [type: string, pack: (tar: Uint8Array) => Uint8Array]> = {
  plain: ["application/vnd.oci.image.layer.v1.tar", (tar) => tar],
  gzip: ["application/vnd.oci.image.layer.v1.tar+gzip", gzipSync],
  zstd: ["application/vnd.oci.image.layer.v1.tar+zstd", zstd],
};

/** A blob as containerd has it: in a file that is named by its digest, or coming in pieces. */
export function blobOf(tar: Uint8Array, packed = "plain", comes: "file" | "stream" = "file"): LayerSource {
  const [mediaType, pack] = PACKED[packed] ?? PACKED["plain"];
  const bytes = pack(tar);
  const digest = `sha256:${sha256(bytes)}`;
  const described = { mediaType, digest, size: bytes.length };
  if (comes === "stream") return { ...described, stream: () => pieces(bytes) };
  const file = join(workDir(), sha256(bytes));
  writeFileSync(file, bytes, { mode: 0o444 });
  return { ...described, file };
}

/** Views of one buffer, as messages have them. */
async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1 << 16) yield bytes.subarray(at, at + (1 << 16));
}

/** Everything in a store but its lock, by kind; of what is being made, too. */
export const filesOf = (root: string): string[] =>
  readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name !== "lock" && !statSync(join(root, name)).isDirectory())
    .sort();

export const never = (): AbortSignal => new AbortController().signal;
