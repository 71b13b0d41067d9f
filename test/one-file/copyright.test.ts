import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

/** The licences beside the executable. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MODULE = new URL("../../bin/copyright.mjs", import.meta.url).href;
const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-copyright-"));
afterAll(() => rmSync(dir, { recursive: true }));

function copyright(node: string): string {
  const code = `import(${JSON.stringify(MODULE)}).then((it) => process.stdout.write(it.copyright(...process.argv.slice(1))))`;
  return execFileSync(process.execPath, ["-e", code, ROOT, node], { encoding: "utf8", maxBuffer: 1 << 26 });
}

/** A Node as its distributions lay it out. */
function nodeWith(licence: string, text: string): string {
  const root = mkdtempSync(join(dir, "node-"));
  for (const each of ["bin", "share/doc/nodejs"]) mkdirSync(join(root, each), { recursive: true });
  writeFileSync(join(root, licence), text);
  return join(root, "bin/node");
}

const text = copyright(nodeWith("LICENSE", "Node.js is licensed for use as follows:\nthis way\n"));

it("has the project's own, and what NOTICE says", () => {
  for (const name of ["NOTICE", "LICENSE"])
    expect(text).toContain(readFileSync(join(ROOT, name), "utf8").trim());
});

it("has a text of each package but those that NOTICE names as having none", () => {
  const [, libfuse, ...sections] = text.split(/\n-{80}\n\n(?=\S+ \d\S*: )/);
  expect(libfuse).toMatch(/^libfuse 2\.9\.9: LGPL-2\.1-only\n\n.*(lgpl|lesser general public license)/is);
  const locked = JSON.parse(readFileSync(join(ROOT, "node_modules/.package-lock.json"), "utf8")).packages;
  const installed = Object.values(locked as Record<string, { dev?: boolean }>).filter(({ dev }) => !dev);
  expect(sections).toHaveLength(installed.length);
  const without = sections.filter((each) => each.includes("It has no text of its licence."));
  const [, named = ""] = readFileSync(join(ROOT, "NOTICE"), "utf8").split(
    "Packages without a text of their own:",
  );
  const names = without.map((each) => each.split(" ", 1)[0] ?? "");
  expect(names).toHaveLength(6);
  expect(names.filter((name) => !named.includes(`  ${name.replace(/-linux-\w+$/, "-*")}:`))).toEqual([]);
});

it("has what is a condition of packages whose modules begin with their licence", () => {
  expect(text).toContain("Copyright 2008 Google Inc.  All rights reserved.");
  expect(text).toMatch(/Copyright \d+(-\d+)? The Connect Authors/);
});

describe("of Node", () => {
  it("has what lies beside it", () =>
    expect(text).toMatch(/^Node\.js v\S+\n\nNode.* as follows:\nthis way$/m));
  it("has what its Debian package has", () =>
    expect(
      copyright(nodeWith("share/doc/nodejs/LICENSE", "Node.js is licensed for use as follows:\nso\n")),
    ).toMatch(/as follows:\nso$/m));
  it("names it, where another's lies there, or none", () =>
    expect(copyright(nodeWith("LICENSE", "GNU GENERAL PUBLIC LICENSE"))).toMatch(
      /^The text did not lie beside it: https:\/\/github\.com\/nodejs\/node\/blob\/v\S+\/LICENSE$/m,
    ));
});
