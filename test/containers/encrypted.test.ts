import { describe, expect, it } from "vitest";
import { containerTree } from "../support/containers/container-tree.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { base, changes } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { ociImage } from "../support/containers/oci-image.ts";
import { reconfigure } from "../support/containers/reconfigure.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { ROUTES } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";

/** In the place of what containerd would decrypt with, which is not here: each byte plus 128. */
const DECRYPTS = `
[stream_processors."io.containerd.ocicrypt.decoder.v1.tar.gzip"]
accepts = ["application/vnd.oci.image.layer.v1.tar+gzip+encrypted"]
returns = "application/vnd.oci.image.layer.v1.tar+gzip"
path = "tr"
args = ['\\000-\\377', '\\200-\\377\\000-\\177']
`;
const LAYERS = [{ tar: base() }, { tar: changes() }, { tar: base() }];

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it.each(ROUTES)("has encrypted layers decrypted and unpacked by containerd, $name", async ({ get }) => {
    const want = await referenceTree(engine, ociImage(LAYERS));
    const both = await startBoth(engine);
    const { containerd, snapshotter } = both;
    const before = filesOf(both);
    await reconfigure(both, (toml) => toml + DECRYPTS);
    const image = ociImage(LAYERS.map((layer, i) => ({ ...layer, isEncrypted: i === 1 })));
    const name = await get(containerd, image, PROXY);
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
    expect(containerTree(containerd, "one")).toEqual(want);
    expect(snapshotter.log()).toMatch(/unpacked by containerd: .*: an encrypted layer/);
    await removeAll(both);
    await expectNothingLeft(both, before);
  });
});
