import { renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { exec } from "../support/containers/exec.ts";
import { base, threeLayers } from "../support/containers/images.ts";
import { ociImage } from "../support/containers/oci-image.ts";
import { reconfigure } from "../support/containers/reconfigure.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it("may have its blobs elsewhere from now on", async () => {
    const both = await startBoth(engine);
    const { containerd } = both;
    await LOCAL_IMPORT.get(containerd, ociImage([{ tar: base() }]), PROXY);
    const root = join(containerd.dir, "root");
    await reconfigure(
      both,
      (toml) => toml.replace(`root = "${root}"`, `root = "${root}.new"`),
      () => renameSync(root, `${root}.new`),
    );
    const name = await LOCAL_IMPORT.get(containerd, threeLayers(), PROXY);
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
    expect(await exec(containerd, "one", "cat /opt/kept/a")).toBe("second\n");
  });
});
