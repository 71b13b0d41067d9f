import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { containerTree } from "../support/containers/container-tree.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { until } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it.each(["auto", "fuse"])("has an image merged again whose bootstrap is damaged (%s)", async (driver) => {
    const image = threeLayers();
    const want = await referenceTree(engine, image);
    const both = await startBoth(engine, {}, ["--driver", driver]);
    const { containerd, snapshotter } = both;
    const before = filesOf(both);
    const name = await LOCAL_IMPORT.get(containerd, image, PROXY);
    const merged = join(snapshotter.root, "merged");
    await until(() => readdirSync(merged).length > 0, "the merge after the last layer");
    // All but what is looked at when the store is opened.
    const path = join(merged, readdirSync(merged)[0] ?? "");
    const bytes = readFileSync(path);
    chmodSync(path, 0o600);
    writeFileSync(path, bytes.fill(0xff, bytes.length >> 1));
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
    expect(containerTree(containerd, "one")).toEqual(want);
    expect(snapshotter.log()).toMatch(/: it is merged again/);
    await removeAll(both);
    await expectNothingLeft(both, before);
  });
});
