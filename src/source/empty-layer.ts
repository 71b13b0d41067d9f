import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../atomic-file/replace-file.ts";
import type { Cache } from "./cache.ts";
import type { ImageLayer } from "./documents.ts";

/** The shortest tar. */
const EMPTY_TAR = new Uint8Array(1024);

/** What an image without layers is: an empty directory. */
export function emptyLayer(cache: Cache): ImageLayer {
  const diffId = createHash("sha256").update(EMPTY_TAR).digest("hex");
  const path = join(cache.blobs, diffId);
  if (!existsSync(path)) replaceFile(path, EMPTY_TAR, { mode: 0o600, isDurable: false });
  return { file: { path, name: path }, diffId };
}
