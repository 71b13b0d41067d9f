import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const json = (name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8"));

/** What git does not keep. */
const MADE = new Set(["node_modules", "dist"]);

it("the top level holds the files and folders that are listed, and nothing else", () => {
  const names = readdirSync(ROOT).filter((name) => !name.startsWith(".") && !MADE.has(name));
  const files = [
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "README.md",
    "LICENSE",
    "NOTICE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
  ];
  expect(names.sort()).toEqual([...files, "src", "bin", "test", "benches", "docs"].sort());
});

/** `@scope/name/part` is of `@scope/name`. */
const packageOf = (specifier: string): string => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;

it("every package of package.json is used, and every package that is used is there", () => {
  const code = ["src", "bin"].flatMap((dir) =>
    readdirSync(join(ROOT, dir), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .map((path) => readFileSync(join(ROOT, dir, path), "utf8")),
  );
  const imported = code.flatMap((text) => [
    ...text.matchAll(/(?<!\.)\b(?:from|import)\s*\(?\s*"([^".][^"]*)"/g),
  ]);
  const packages = new Set(
    imported.map((match) => packageOf(match[1] ?? "")).filter((name) => !name.startsWith("node:")),
  );
  const { dependencies } = json("package.json");
  expect([...packages].sort()).toEqual(Object.keys(dependencies).sort());
  expect(Object.keys(dependencies)).toEqual(
    expect.arrayContaining(["fuse-native", "lru-cache", "commander"]),
  );
  expect(dependencies["fuse-native"]).toBe("2.2.6"); // its addon is called in ways that another one may not have
});

/** Without them `npm ci` refuses; npm drops them when it makes the file where a registry lacks them. */
it("package-lock.json has the packages for other platforms", () => {
  const { packages } = json("package-lock.json") as { packages: Record<string, Locked> };
  const optional = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).map((name) => ({ path, name })),
  );
  expect(optional.length).toBeGreaterThan(20);
  const isThere = ({ path, name }: { path: string; name: string }) =>
    [`${path}/node_modules/${name}`, `node_modules/${name}`].some(
      (at) => packages[at]?.version !== undefined,
    );
  expect(optional.filter((each) => !isThere(each))).toEqual([]);
});

interface Locked {
  readonly version?: string;
  readonly optionalDependencies?: Record<string, string>;
}
