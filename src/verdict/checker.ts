import { readFileSync } from "node:fs";

/** sha256 of the code that checks images, which `bin/setup.mjs` notes beside the bundles; undefined when this is none. */
export function thisChecker(): string | undefined {
  try {
    return JSON.parse(readFileSync(new URL("./build.json", import.meta.url), "utf8")).checker;
  } catch {
    return undefined;
  }
}
