import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { readMounts } from "../../src/mounts/table.ts";
import { tarOf } from "../mkfs/emit.ts";
import { type Compression, digestOf, type OciImage, ociImage } from "../support/containers/oci-image.ts";
import { SNAPSHOTTER } from "../support/containers/snapshotter.ts";
import { ask, type Finished, shell, workDir } from "../support/daemon.ts";

const [X, Y] = ["x", "y"].map((name) => tarOf([{ name, data: name.repeat(10_000) }])) as [Buffer, Buffer];

interface Place {
  readonly dir: string;
  readonly layers: string;
  readonly layout: string;
  readonly als: (...words: string[]) => Promise<Finished>;
  /** Path of a layer's blob. */
  readonly blob: (i: number) => string;
  /** Where a layer is offered. */
  readonly offered: (i: number) => string;
}

/** An image in a layout, as skopeo makes it. */
function placeOf(image: OciImage): Place {
  const dir = workDir();
  const [layers, layout] = [join(dir, "layers"), join(dir, "layout")];
  const blobOf = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  for (const [digest, bytes] of image.blobs) {
    mkdirSync(dirname(blobOf(digest)), { recursive: true });
    writeFileSync(blobOf(digest), bytes);
  }
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(layout, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [image.manifest] }),
  );
  const digest = (i: number) => image.layers[i]?.digest ?? "";
  return {
    ...{ dir, layers, layout },
    als: (...words) =>
      shell('exec "$@"', process.execPath, SNAPSHOTTER, "--root", join(dir, "root"), "als", ...words),
    blob: (i) => blobOf(digest(i)),
    offered: (i) => join(layers, digest(i)),
  };
}

const said = ({ layers }: Place, ...[added, kept, removed, leftOut]: number[]): string =>
  `${layers}: ${added} layers added, ${kept} were there, ${removed} removed, ${leftOut} left out\n`;
const mountsBelow = (dir: string) => readMounts().filter(({ mountpoint }) => mountpoint.startsWith(dir));

/** Changes a byte of a file. */
function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  rmSync(file);
  writeFileSync(file, bytes);
}

describe("what an image says of its layers is not believed", () => {
  it.each<Compression>(["gzip", "zstd", "none"])("another layer's diffID, %s", async (compression) => {
    const layers = [{ tar: X }, { tar: Y, compression }];
    const place = placeOf(ociImage(layers, [digestOf(X), digestOf(X)]));
    const { status, stderr } = await place.als(place.layers, place.layout);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `Error: ${place.blob(1)}: its tar is ${digestOf(Y)}, its image says ${digestOf(X)}\n`,
    });
    expect(readdirSync(join(place.offered(0), "diff"))).toEqual(["x"]);
    expect(readdirSync(place.layers)).toHaveLength(1);
  });

  it("two diffIDs for one blob", async () => {
    const place = placeOf(ociImage([{ tar: X }, { tar: X }], [digestOf(X), digestOf(Y)]));
    expect(await place.als(place.layers, place.layout)).toEqual({
      ...{ status: 1, stdout: "" },
      stderr: `Error: ${place.blob(0)}: its tar is said to be ${digestOf(X)}, and ${digestOf(Y)}\n`,
    });
    expect(mountsBelow(place.dir)).toEqual([]);
  });
});

describe("a damaged layer is left out, and the others are offered", () => {
  const cases: { compression: Compression; at: number }[] = [
    { compression: "none", at: 700 }, // data of the file
    { compression: "gzip", at: 4 }, // the time: its tar is as it was
  ];
  it.each(cases)("$compression", async ({ compression, at }) => {
    const place = placeOf(ociImage([{ tar: X, compression }, { tar: Y }]));
    flip(place.blob(0), at);
    const { status, stdout, stderr } = await place.als(place.layers, place.layout);
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: said(place, 1, 0, 0, 1) });
    expect(stderr).toMatch(/^warning: (sha256:\w+): not offered: \1: its bytes are damaged: /);
    expect(readdirSync(join(place.offered(1), "diff"))).toEqual(["y"]);
  });
});

describe("a run after others", () => {
  it("makes no tar again of a blob that it knows", async () => {
    const place = placeOf(ociImage([{ tar: X }]));
    await place.als(place.layers, place.layout);
    await ask('umount "$1"', join(place.offered(0), "diff"));
    flip(place.blob(0), 4); // to read it would be noticed
    expect((await place.als(place.layers, place.layout)).stdout).toBe(said(place, 1, 0, 0, 0));
  });

  it("finds what is mounted, whichever way leads there", async () => {
    const place = placeOf(ociImage([{ tar: X }]));
    mkdirSync(place.layers, { mode: 0o755 });
    const link = join(place.dir, "link");
    symlinkSync(place.layers, link);
    const through = { ...place, layers: link };
    expect((await place.als(link, place.layout)).stdout).toBe(said(through, 1, 0, 0, 0));
    expect((await place.als(link, place.layout)).stdout).toBe(said(through, 0, 1, 0, 0));
    expect(mountsBelow(place.dir)).toHaveLength(1);
  });

  it("removes what one has left that was killed before it had named its mount", async () => {
    const place = placeOf(ociImage([{ tar: X }]));
    await place.als(place.layers, place.layout);
    renameSync(place.offered(0), place.offered(0).replace("/sha256:", "/.sha256:"));
    const { stdout, stderr } = await place.als(place.layers, place.layout);
    expect({ stdout, stderr }).toEqual({ stdout: said(place, 1, 0, 0, 0), stderr: "" });
    expect(mountsBelow(place.dir).map(({ mountpoint }) => mountpoint)).toEqual([
      join(place.offered(0), "diff"),
    ]);
  });

  it("takes no layer back while an image is not whole", async () => {
    const place = placeOf(ociImage([{ tar: X }, { tar: Y }]));
    await place.als(place.layers, place.layout);
    rmSync(place.blob(1));
    const { status, stdout, stderr } = await place.als("--prune", place.layers, place.layout);
    expect({ status, stdout }).toEqual({ status: 1, stdout: said(place, 0, 0, 0, 0) });
    expect(stderr).toMatch(/^warning: .*\nwarning: nothing was pruned: /);
    expect(mountsBelow(place.dir)).toHaveLength(2);
  });
});

describe("where tars are kept", () => {
  it("is said by --config, too, and is closed to others", async () => {
    const place = placeOf(ociImage([{ tar: X }]));
    const [root, file] = [join(place.dir, "other"), join(place.dir, "config.toml")];
    writeFileSync(file, `version = 1\nroot = "${root}"\n`);
    const words = ["--config", file, "als", place.layers, place.layout];
    const { stdout, stderr } = await shell('exec "$@"', process.execPath, SNAPSHOTTER, ...words);
    expect({ stdout, stderr }).toEqual({ stdout: said(place, 1, 0, 0, 0), stderr: "" });
    expect(statSync(root).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(root, "als/store/blobs"))).toEqual([digestOf(X).slice("sha256:".length)]);
  });

  it("is no path that no mount can have", async () => {
    const place = placeOf(ociImage([{ tar: X }]));
    const root = join(place.dir, "a,b");
    const words = ["--root", root, "als", place.layers, place.layout];
    expect((await shell('exec "$@"', process.execPath, SNAPSHOTTER, ...words)).stderr).toBe(
      `Error: root ${root}: no colon, comma or backslash may be in its path\n`,
    );
  });
});
