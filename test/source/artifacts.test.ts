import { describe, expect, it } from "vitest";
import { chosen, type Descriptor, INDEX, MemoryLayout, NAME, named, REF } from "./memory-layout.ts";
import { describeType } from "../../src/source/media-types.ts";

describe("what is no image is not offered", () => {
  const EMPTY = {
    mediaType: "application/vnd.oci.empty.v1+json",
    digest: `sha256:${"e".repeat(64)}`,
    size: 2,
  };
  const json = (docs: MemoryLayout, type: string) => docs.blob(type, `{"of":"${type}"}`);
  const cases: [what: string, make: (docs: MemoryLayout) => Descriptor, type: string][] = [
    [
      "an artifact",
      (docs) => docs.image([], { artifactType: "application/spdx+json", config: EMPTY }),
      "application/spdx+json",
    ],
    [
      "an artifact, as its descriptor says",
      (docs) => ({ ...docs.image(["x"]), artifactType: "application/vnd.example" }),
      "application/vnd.example",
    ],
    ["an empty configuration", (docs) => docs.image(["x"], { config: EMPTY }), EMPTY.mediaType],
    [
      "a chart",
      (docs) => docs.image(["x"], { config: json(docs, "application/vnd.cncf.helm.config.v1+json") }),
      "application/vnd.cncf.helm.config.v1+json",
    ],
    [
      "a signature of cosign",
      (docs) => docs.image([], { layers: [json(docs, "application/vnd.dev.cosign.simplesigning.v1+json")] }),
      "application/vnd.dev.cosign.simplesigning.v1+json",
    ],
    [
      "an attestation of BuildKit",
      (docs) => named({ "vnd.docker.reference.type": "attestation-manifest" }, docs.image(["x"])),
      "attestation",
    ],
    ["an SBOM", (docs) => docs.image([], { layers: [json(docs, "text/spdx")] }), "text/spdx"],
    [
      "another kind of manifest",
      (docs) => json(docs, "application/vnd.oci.artifact.manifest.v1+json"),
      "application/vnd.oci.artifact.manifest.v1+json",
    ],
    [
      "a manifest of the first schema",
      (docs) => json(docs, "application/vnd.docker.distribution.manifest.v1+prettyjws"),
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ],
    [
      "a list of what refers to an image",
      (docs) => named(REF(`sha256-${"a".repeat(64)}`), docs.list([docs.image(["x"])])),
      "what refers to an image",
    ],
    [
      "what has a referrer's tag",
      (docs) => named(NAME(`docker.io/library/app:sha256-${"a".repeat(64)}.sig`), docs.image(["x"])),
      "what refers to an image",
    ],
    ["an empty index", (docs) => docs.list([]), "an index without images"],
    [
      "an index that is an artifact",
      (docs) => docs.blob(INDEX, { artifactType: "application/vnd.example", manifests: [docs.image(["x"])] }),
      "application/vnd.example",
    ],
  ];
  it.each(cases)("%s", (_, make, type) => {
    const docs = new MemoryLayout();
    const thing = make(docs);
    docs.index(docs.image(["a"]), thing);
    expect(chosen(docs)).toBe("a");
    expect(chosen(docs, thing.digest)).toContain(
      `L: ${thing.digest} is no image, but an artifact: ${describeType(type)}; there are: linux/amd64 sha256:`,
    );
    expect(chosen(docs.index(thing))).toBe(`L: no image in it, only artifacts: ${describeType(type)}`);
  });

  it.each([
    ["what a referrers API says of an image", { artifactType: "application/vnd.oci.image.config.v1+json" }],
    ["a descriptor without media type", { mediaType: undefined }],
    ["one with null for all that may be", { platform: null, annotations: null, artifactType: null }],
    ["an annotation that is null", { annotations: { a: null } }],
    ["Docker's media type", { mediaType: "application/vnd.docker.distribution.manifest.v2+json" }],
  ])("%s is one", (_, more) => {
    const docs = new MemoryLayout();
    expect(chosen(docs.index({ ...docs.image(["a"]), ...more }))).toBe("a");
  });
  it.each(["application/vnd.docker.container.image.v1+json", "application/octet-stream", ""])(
    "a configuration of type '%s' is an image's",
    (mediaType) => {
      const docs = new MemoryLayout();
      docs.index(docs.image(["a"], { config: { ...docs.config(["a"]), mediaType } }));
      expect(chosen(docs)).toBe("a");
    },
  );
  it("nor are the parts of an index that stand beside it without a name", () => {
    const docs = new MemoryLayout();
    const parts = ["linux/amd64", "linux/arm64"].map((platform) => {
      const [os, architecture] = platform.split("/");
      return { ...docs.image([platform]), platform: { os, architecture } };
    });
    docs.index(named(REF("v1"), docs.list(parts)), ...parts);
    expect(chosen(docs, undefined, "linux/arm64")).toBe("linux/arm64");
    expect(chosen(docs, "v1", "linux/amd64")).toBe("linux/amd64");
  });
});
