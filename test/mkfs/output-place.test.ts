import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { messageOf } from "../../src/bytes/errors.ts";
import { mustBeNoLayer, mustBePlace, placeForLayers } from "../../src/mkfs/output-place.ts";
import { sh, workDir } from "../support/daemon.ts";

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

it.each([
  ["a stranger's", 'mkdir "$D"; chown 65534 "$D"', "belongs to user 65534"],
  ["a group's", 'mkdir "$D"; chgrp 65534 "$D"; chmod 770 "$D"', "group 65534, or an ACL, may write to it"],
  [
    "by a stranger's link",
    'mkdir "$D.to"; ln -s "$D.to" "$D"; chown -h 65534 "$D"',
    "DIR is a link that belongs to user 65534",
  ],
  ["below a stranger's", 'mkdir -p "$D"; chown 65534 "$D/.."', "DIR/.. belongs to user 65534"],
  ["like /tmp", 'mkdir "$D"; chmod 1777 "$D"', ""],
  ["root's", 'mkdir "$D"', ""],
])("mustBePlace puts tars where nobody else can change them: a directory that is %s", (_, make, said) => {
  const dir = join(workDir(), "dir");
  sh(make, { D: dir });
  let found = "";
  try {
    mustBePlace({ blobDir: dir });
  } catch (error) {
    found = messageOf(error);
  }
  const problem = said.replace("DIR/..", dirname(dir)).replace("DIR", dir);
  const advice = "choose another with --blob-dir, or run as that user";
  expect(found).toBe(said && `directory to store blobs ${dir}: ${problem}; ${advice}`);
});

it("says before work that there is no directory for the bootstrap", () =>
  expect(() => mustBePlace({ bootstrap: "/none/x.boot" })).toThrow(
    "/none/x.boot: there is no directory /none: make it first",
  ));

it("a bootstrap takes no layer's place, by whatever name", () => {
  const dir = workDir();
  sh('cd "$D"; echo x >a.tar; ln a.tar b.tar; ln -s a.tar c.tar; echo y >old.boot', { D: dir });
  const says = (bootstrap: string) => () =>
    mustBeNoLayer({ bootstrap: join(dir, bootstrap), blobDir: dir }, [
      "-",
      join(dir, "a.tar"),
      join(dir, "none.tar"),
    ]);
  for (const name of ["a.tar", "b.tar", "c.tar"])
    expect(says(name)).toThrow(/is the layer .*a\.tar: choose another name/);
  for (const name of ["old.boot", "new.boot"]) expect(says(name)).not.toThrow();
});
