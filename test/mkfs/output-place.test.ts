import { describe, expect, it } from "vitest";
import { mustBePlace, placeForLayers } from "../../src/mkfs/output-place.ts";
import { workDir } from "../support/daemon.ts";

describe("placeForLayers", () => {
  it.each([
    ["layer.tar", "layer.boot"],
    ["layer.tar.gz", "layer.boot"],
    ["layer.tgz", "layer.boot"],
    ["layer.tar.zst", "layer.boot"],
    ["layer.zstd", "layer.boot"],
    ["a.b", "a.b.boot"],
  ])("puts the bootstrap of %s beside it, as %s", (layer, bootstrap) => {
    const dir = workDir();
    expect(placeForLayers([`${dir}/${layer}`], {})).toEqual({
      bootstrap: `${dir}/${bootstrap}`,
      blobDir: dir,
    });
  });

  it("leaves what was said as it is", () => {
    const dir = workDir();
    expect(placeForLayers(["a.tar"], { bootstrap: "x" })).toEqual({ bootstrap: "x", blobDir: undefined });
    expect(placeForLayers(["a.tar"], { blobDir: dir })).toEqual({ bootstrap: undefined, blobDir: dir });
  });

  it.each([[["-"]], [["/dev/stdin"]], [["a.tar", "b.tar"]], [[]]])("does not guess for %j", (layers) =>
    expect(() => placeForLayers(layers, {})).toThrow("say where the bootstrap goes"),
  );
});

it("mustBePlace wants a directory that there is", () =>
  expect(() => mustBePlace({ blobDir: "/no/such" })).toThrow("directory to store blobs does not exist"));
