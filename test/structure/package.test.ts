import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

/** What npm is given; `.ci/bare-install.sh` installs it. Why: docs/decisions/0028-one-package.md. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const json = (name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8"));
const manifest = json("package.json");

interface Locked {
  readonly version: string;
  readonly license: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly inBundle?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}
const locked = Object.entries(json("package-lock.json").packages as Record<string, Locked>).filter(
  ([path, { dev }]) => path !== "" && !dev,
);

/** Packages that are an addon for one CPU and system; the package of this project has those of the one that it is for. */
const ADDON = /^(@koromix\/koffi-|@lmdb\/lmdb-|@msgpackr-extract\/msgpackr-extract-).*/;

it("brings all that it needs", () => {
  expect(manifest.bundleDependencies).toEqual(Object.keys(manifest.dependencies));
  expect(locked.filter(([, { inBundle }]) => !inBundle)).toEqual([]);
});

it("has no script that runs while it is installed", () =>
  expect(Object.keys(manifest.scripts)).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/^(pre|post)?install$|^prepare$|^(pre|post)prepare$/)]),
  ));

it("lists the packages whose own scripts bin/prepack.mjs takes away, and no others", () => {
  const withScripts = locked.filter(([, { hasInstallScript }]) => hasInstallScript);
  expect(manifest.allowScripts).toEqual(
    Object.fromEntries(withScripts.map(([path]) => [path.replace("node_modules/", ""), false])),
  );
});

it("pins what it brings by hash", () =>
  expect(locked.filter(([, { integrity = "" }]) => !integrity.startsWith("sha512-"))).toEqual([]));

it("has a NOTICE of all that it brings, with licences", () => {
  const notice = readFileSync(join(ROOT, "NOTICE"), "utf8");
  const lines = locked.map(([path, { version, license }]) => {
    const name = path.replace(/^.*node_modules\//, "").replace(ADDON, "$1*");
    return `  ${name} ${version} ${license}`;
  });
  const listed = notice.split("\n").filter((line) => /^ {2}\S+ \d\S* [(A-Z][\w. ()-]*$/.test(line));
  expect(listed).toEqual([...new Set(lines)].sort());
  expect(manifest.files).toContain("NOTICE");
});

it("names the libfuse that comes with fuse-native: licence, version, source", () => {
  const notice = readFileSync(join(ROOT, "NOTICE"), "utf8");
  for (const path of [
    "fuse-native/prebuilds/linux-x64/libfuse.so",
    "fuse-shared-library-linux/libfuse/lib/libfuse.so",
  ])
    expect(readFileSync(join(ROOT, "node_modules", path)).includes("\x002.9.9\0")).toBe(true);
  expect(notice).toMatch(/^libfuse 2\.9\.9\n {2}LGPL-2\.1-only, .*fuse-native 2\.2\.6 .*fuse-2\.9\.9\n/ms);
});

it("has programs of plain characters and without comments: both cost time at each start", () => {
  const dir = join(ROOT, "dist/bundle");
  const programs = readdirSync(dir).filter((name) => name.endsWith(".js"));
  const text = (name: string) => readFileSync(join(dir, name), "utf8");
  expect(programs.filter((name) => [...text(name)].some((char) => char > "~"))).toEqual([]);
  expect(programs.filter((name) => /^\s*\/\*\*/m.test(text(name)))).toEqual([]);
  expect(programs.length).toBeGreaterThan(10);
});
