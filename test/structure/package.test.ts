import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

/** What npm is given; `.ci/bare-install.sh` installs it. Why: docs/decisions/0028-one-package.md. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const json = (name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8"));
const manifest = json("package.json");

interface Locked {
  readonly dev?: boolean;
  readonly inBundle?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}
const locked = Object.entries(json("package-lock.json").packages as Record<string, Locked>).filter(
  ([path, { dev }]) => path !== "" && !dev,
);

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
