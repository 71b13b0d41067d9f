import { describe, expect, it } from "vitest";
import { SPARSE, tarOf } from "../mkfs/emit.ts";
import { containerTree } from "../support/containers/container-tree.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { exec } from "../support/containers/exec.ts";
import { base, changes } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { digestOf, type Layer, ociImage } from "../support/containers/oci-image.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_PULL, TRANSFER_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";
import { often } from "../support/often.ts";

/** Each writes a file of its own, replaces one of all, and removes what the one below it has made. */
const many = (count: number): Layer[] => [
  { tar: base() },
  ...Array.from({ length: count - 1 }, (_, i) => ({
    tar: tarOf([
      { name: "opt/", type: "5" },
      { name: `opt/own-${i}`, data: `${i}\n` },
      { name: "opt/shared", data: `by ${i}\n` },
      { name: `opt/.wh.brief-${i - 1}` },
      { name: `opt/brief-${i}`, data: "brief\n" },
    ]),
  })),
];

/** What this project's builder refuses, and containerd unpacks. */
const REFUSED = tarOf([
  { name: "opt/", type: "5" },
  { ...SPARSE, name: "opt/sparse" },
]);

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  const images = [
    { name: "128 layers", image: () => ociImage(many(128)) },
    // More than an image has devices for: they are unpacked one by one.
    { name: "256 layers", image: () => ociImage(many(256)) },
    {
      name: "one layer twice",
      image: () => ociImage([{ tar: base() }, { tar: changes() }, { tar: changes() }]),
    },
    { name: "a layer of nothing", image: () => ociImage([{ tar: base() }, { tar: tarOf([]) }]) },
    {
      name: "a layer that only containerd unpacks, at the top",
      image: () => ociImage([{ tar: base() }, { tar: changes() }, { tar: REFUSED }]),
    },
    {
      name: "a layer that only containerd unpacks, between others",
      image: () => ociImage([{ tar: base() }, { tar: REFUSED }, { tar: changes() }]),
    },
  ];
  // The one that each release takes by itself comes first.
  const both = engine.major > 1 ? [TRANSFER_IMPORT, LOCAL_PULL] : [LOCAL_PULL, TRANSFER_IMPORT];
  const routes = both.slice(0, often("NYDUSD_TS_ROUTES", 1, 2));
  it.each(images.flatMap((each) => routes.map((route) => ({ ...each, route, way: route.name }))))(
    "runs $name, $way, as its own overlayfs does, and leaves nothing",
    async ({ image: make, route }) => {
      const image = make();
      const want = await referenceTree(engine, image);
      const both = await startBoth(engine);
      const before = filesOf(both);
      const name = await route.get(both.containerd, image, PROXY);
      await both.containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
      expect(containerTree(both.containerd, "one")).toEqual(want);
      await removeAll(both);
      await expectNothingLeft(both, before);
    },
  );

  const wrong = [
    {
      name: "whose configuration has the digest of another layer",
      image: () => ociImage([{ tar: base() }, { tar: changes() }], [digestOf(base()), digestOf(REFUSED)]),
      says: /wrong diff id|mismatched|different digest/,
    },
    {
      name: "with a layer that ends early",
      image: () => ociImage([{ tar: base() }, { tar: changes(), cut: 1000 }]),
      says: /extract|apply/,
    },
    {
      name: "with a layer that is no archive",
      image: () => ociImage([{ tar: base() }, { tar: Buffer.alloc(20_000, "no tar") }]),
      says: /extract|apply/,
    },
  ];
  it.each(wrong.flatMap((each) => routes.map((route) => ({ ...each, route, way: route.name }))))(
    "refuses an image $name, $way, leaves nothing of it, and goes on",
    async ({ image: make, route, says }) => {
      const both = await startBoth(engine);
      const before = filesOf(both);
      await expect(route.get(both.containerd, make(), PROXY)).rejects.toThrow(says);
      await removeAll(both);
      await expectNothingLeft(both, before);
      const name = await route.get(both.containerd, ociImage([{ tar: base() }]), PROXY);
      await both.containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
      expect(await exec(both.containerd, "one", "cat /etc/passwd")).toMatch(/^root/);
    },
  );
});
