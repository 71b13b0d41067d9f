import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { UsageError } from "../../src/bytes/errors.ts";
import { prepareImage } from "../../src/source/prepare.ts";
import { tarOf } from "../mkfs/emit.ts";
import { file } from "../mkfs/support.ts";
import { fixture, scratchDir } from "../support/image.ts";
import { NO_REPORT } from "../support/no-report.ts";

const dir = scratchDir();
const report = NO_REPORT;

async function prepare(path: string, strictXattrs: boolean): Promise<string[]> {
  const told: string[] = [];
  const warn = (message: string) => told.push(message);
  await prepareImage({
    paths: [path],
    cacheDir: join(dir, "cache"),
    blobDirs: [],
    report,
    warn,
    strictXattrs,
  });
  return told;
}

function layer(name: string): string {
  const path = join(dir, `${name}.tar`);
  writeFileSync(path, tarOf([file("f", "", { pax: { [`SCHILY.xattr.${name}`]: "v" } })]));
  return path;
}

it("--strict-xattrs refuses a layer that the cache has without some of its attributes", async () => {
  const path = layer("foo.bar");
  expect(await prepare(path, false)).toEqual([
    `${path}: extended attribute "foo.bar" was left out once: EROFS has no such namespace`,
  ]);
  await expect(prepare(path, true)).rejects.toThrow(/entry "f": extended attribute "foo\.bar": EROFS has no/);
  expect(await prepare(path, false)).toEqual([]);
});

it("--strict-xattrs takes a layer with all of them, built or cached", async () => {
  const path = layer("user.x");
  expect(await prepare(path, true)).toEqual([]);
  expect(await prepare(path, true)).toEqual([]);
});

it("--strict-xattrs means nothing for an image that is mounted as it is", async () => {
  const { path } = fixture("01-basic");
  await expect(prepare(path, true)).rejects.toThrow(
    new UsageError(`--strict-xattrs has no meaning for ${path}: an image is mounted as it is`),
  );
});
