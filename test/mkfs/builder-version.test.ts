import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { BUILDER_VERSION } from "../../src/mkfs/builder-version.ts";
import { LAYERS } from "../source/images.ts";
import { build, merge } from "./support.ts";

/** What a version of the builder makes of layers, and of an image of them. */
const MADE = { version: 2, sha256: "dfe52b76f649322e46d16493b1602563c9e04e8664f7da15d1c3cd2891b66fe9" };

it("the builder's version is raised when it makes something else", async () => {
  const layers: string[] = [];
  for (const path of LAYERS) layers.push((await build(path)).bootstrap);
  const all = [...layers, merge(layers).bootstrap];
  const hash = createHash("sha256");
  for (const path of all) hash.update(readFileSync(path));
  expect({ version: BUILDER_VERSION, sha256: hash.digest("hex") }).toEqual(MADE);
});
