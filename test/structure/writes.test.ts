import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT, textOf } from "../docs/page.ts";

/** Rooms that write images and tars: a number that a field cannot hold must not become another one there. */
const BUILDERS = ["erofs", "mkfs", "tar"];

const files = BUILDERS.flatMap((room) =>
  readdirSync(join(ROOT, "src", room)).map((name) => `src/${room}/${name}`),
);

describe("writes of fixed width", () => {
  it.each(files)("of %s are those of bytes/fit", (file) => {
    expect(textOf(file)).not.toMatch(/\.set(?:Big)?(?:Ui|I)nt\d+\(|\.writeU?Int\d+[LB]E|\bput(?:U|S)64\b/);
  });
});
