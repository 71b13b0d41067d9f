import { describe, expect, it } from "vitest";
import { chosen, INDEX, MANIFEST, MemoryLayout, NAME, named, namedLayout, REF } from "./memory-layout.ts";

describe("what documents leave out, or say as null", () => {
  it("an image may have no layers", () => {
    for (const layers of [[], null]) {
      const docs = new MemoryLayout();
      expect(chosen(docs.index(docs.image([], { layers })))).toBe("none");
    }
    const docs = new MemoryLayout();
    docs.put("manifest.json", [{ ...docs.docker([], ["app:1"]), Layers: null }]);
    expect([chosen(docs), chosen(docs, "app")]).toEqual([
      "none",
      expect.stringMatching(/^L: no image app; /),
    ]);
  });
  it.each([[{ rootfs: null }], [{ rootfs: { type: "layers", diff_ids: null } }], [{ rootfs: {} }], [{}]])(
    "a configuration may be %j",
    (config) => {
      const docs = new MemoryLayout();
      const more = { history: null, config: null, os: "linux", architecture: null };
      const put = docs.blob("application/vnd.oci.image.config.v1+json", { ...more, ...config });
      expect(chosen(docs.index(docs.image([], { config: put })))).toBe("none");
    },
  );
  it("lists may be null or empty", () => {
    for (const manifests of [null, []]) {
      const docs = new MemoryLayout();
      docs.put("index.json", { schemaVersion: 2, mediaType: INDEX, manifests });
      expect(chosen(docs)).toBe("L: no image in it");
      docs.put("manifest.json", [docs.docker(["a"], null)]);
      expect(chosen(docs)).toBe("a");
    }
    const docs = new MemoryLayout();
    docs.put("manifest.json", []);
    expect(chosen(docs)).toBe("L: no image in it");
  });
});

describe("manifest.json beside index.json", () => {
  it("stands in for what the index leaves out", () => {
    const docs = new MemoryLayout();
    docs.index(docs.image(["a"]));
    docs.put("manifest.json", [docs.docker(["a"], ["app:1"]), docs.docker(["b"], ["app:2"])]);
    expect([chosen(docs, "app:1"), chosen(docs, "app:2")]).toEqual(["a", "b"]);
    expect(chosen(docs)).toMatch(/^L: 2 images, want one of them by --ref; there are: app:1 .* \| app:2 /);
  });
  it("has the layers that a manifest lacks, or a manifest that is not there", () => {
    const docs = new MemoryLayout();
    const config = docs.config(["a", "b"]);
    const broken = docs.blob(MANIFEST, { schemaVersion: 2, config, layers: [] });
    docs.index(named(NAME("docker.io/library/app:1"), broken));
    expect(chosen(docs)).toMatch(/^L: 0 layers, but 2 diff_ids in sha256:\w{64}$/);
    docs.put("manifest.json", [docs.docker(["a", "b"], ["app:1"])]);
    expect([chosen(docs), chosen(docs, "docker.io/library/app:1")]).toEqual(["a b", "a b"]);
    docs.files.delete(`blobs/sha256/${broken.digest.slice(7)}`);
    expect(chosen(docs)).toBe("a b");
  });
  it("is taken where index.json is none", () => {
    for (const text of ["", "[]", '{"manifests": 1}']) {
      const docs = new MemoryLayout();
      docs.put("index.json", text);
      expect(chosen(docs)).toMatch(/^index\.json: /);
      docs.put("manifest.json", [docs.docker(["a"], ["app:1"])]);
      expect(chosen(docs, "app:1")).toBe("a");
    }
  });
  it("adds nothing where it is not whole, or says the same", () => {
    const docs = namedLayout(NAME, "docker.io/library/app:1");
    const said = [docs.docker(["docker.io/library/app:1"], ["app:1"]), docs.docker(["x"], ["app:1"])];
    for (const more of [...said, { Config: "none", RepoTags: ["no:1"], Layers: [] }, {}, null]) {
      docs.put("manifest.json", [more as object]);
      expect([chosen(docs), chosen(docs, "app:1")]).toEqual(Array(2).fill("docker.io/library/app:1"));
    }
  });
});

describe("what is wrong with one image", () => {
  it("does not keep another from being chosen, and is said when it is chosen", () => {
    const docs = namedLayout(REF, "good", "bad");
    const { digest } = JSON.parse(docs.bytes("index.json").toString()).manifests[1];
    docs.put(`blobs/${digest.replace(":", "/")}`, "{}");
    expect(chosen(docs, "good")).toBe("good");
    expect(chosen(docs, "bad")).toMatch(
      /^blobs\/sha256\/\w{64}: its digest is sha256:\w{64}, want sha256:\w{64}$/,
    );
  });
  it("a configuration has the name that it has, but its layers are counted", () => {
    const docs = new MemoryLayout();
    docs.docker(["a"], null);
    docs.put("config.json", docs.bytes(`blobs/${docs.config(["a"]).digest.replace(":", "/")}`).toString());
    const zeros = `${"0".repeat(64)}.json`;
    docs.put(zeros, docs.bytes("config.json").toString());
    for (const Config of ["config.json", zeros, "./config.json"]) {
      docs.put("manifest.json", [{ Config, RepoTags: ["app:1"], Layers: ["a.tar"] }]);
      expect([chosen(docs), chosen(docs, docs.config(["a"]).digest)]).toEqual(["a", "a"]);
      docs.put("manifest.json", [{ Config, RepoTags: ["app:1"], Layers: ["a.tar", "a.tar"] }]);
      expect(chosen(docs)).toBe(`L: 2 layers, but 1 diff_ids in ${Config}`);
    }
  });
  it("digests of other algorithms are digests", () => {
    const docs = new MemoryLayout();
    const { digest } = docs.image(["a"]);
    const bytes = docs.bytes(`blobs/${digest.replace(":", "/")}`).toString();
    const id = "9".repeat(128);
    docs.put(`blobs/sha512/${id}`, bytes);
    docs.index({ mediaType: MANIFEST, digest: `sha512:${id}`, size: 1 });
    expect(chosen(docs)).toMatch(/^blobs\/sha512\/9{128}: its digest is sha512:\w{128}, want sha512:9{128}$/);
  });
});
