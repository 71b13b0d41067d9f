import { describe, expect, it } from "vitest";
import { hostPlatform, showPlatform } from "../../src/source/platform.ts";
import { chosen, type Descriptor, MemoryLayout, named, NAME, on, REF } from "./memory-layout.ts";

const host = showPlatform(hostPlatform());
const other = host === "linux/arm64" ? "linux/amd64" : "linux/arm64";

/** An image of one layer for each platform, named like it, in an index of their own or in index.json. */
function layout(isNested: boolean, ...platforms: string[]): MemoryLayout {
  const docs = new MemoryLayout();
  const all = platforms.map((platform, i) => on(platform, docs.image([`${platform}#${i}`])));
  return isNested ? docs.index(docs.list(all)) : docs.index(...all);
}

describe("of an index, for a platform", () => {
  const cases: [offered: string, wanted: string | undefined, want: string][] = [
    ["linux/amd64/v2 linux/amd64", "linux/amd64", "linux/amd64#1"],
    ["linux/amd64 linux/amd64/v2", "linux/amd64/v2", "linux/amd64/v2#1"],
    ["linux/amd64 linux/amd64/v2", "linux/amd64/v3", "linux/amd64/v2#1"],
    ["linux/amd64/v3 linux/amd64/v2", "linux/amd64", "linux/amd64/v2#1"],
    ["linux/arm64 linux/amd64", "linux/arm64/v8", "linux/arm64#0"],
    ["linux/arm64/v8 linux/amd64", "linux/arm64", "linux/arm64/v8#0"],
    ["linux/arm64 linux/amd64", "aarch64", "linux/arm64#0"],
    ["linux/aarch64 linux/x86_64", "linux/amd64", "linux/x86_64#1"],
    ["linux/arm/v6 linux/arm/v7", "linux/arm/v7", "linux/arm/v7#1"],
    ["linux/arm/v6 linux/arm/v7", "linux/armhf", "linux/arm/v7#1"],
    ["linux/arm/v7 linux/arm/v6", "linux/arm/v6", "linux/arm/v6#1"],
    ["linux/arm linux/arm64", "linux/arm", "linux/arm#0"],
    [`unknown/unknown ${host}`, undefined, `${host}#1`],
    [`${other} ${host}`, undefined, `${host}#1`],
  ];
  it.each(cases)("%s, %s", (offered, wanted, want) => {
    for (const isNested of [false, true])
      expect(chosen(layout(isNested, ...offered.split(" ")), undefined, wanted)).toBe(want);
  });

  it("the first that fits is meant; images of index.json itself are asked for", () => {
    expect(chosen(layout(true, "linux/amd64", "linux/amd64"), undefined, "linux/amd64")).toBe(
      "linux/amd64#0",
    );
    expect(chosen(layout(false, "linux/amd64", "linux/amd64"), undefined, "linux/amd64")).toMatch(
      /^L: 2 images fit linux\/amd64, want one of them by --ref; there are: linux\/amd64 sha256:\w{12} \| /,
    );
    const docs = layout(true, "windows/amd64", "windows/amd64");
    expect(chosen(docs, undefined, "windows/amd64")).toBe("windows/amd64#0");
  });

  it("none is taken for another", () => {
    expect(chosen(layout(true, "linux/arm/v7", "linux/386"), undefined, "linux/arm/v6")).toMatch(
      /^L: no image for linux\/arm\/v6 \(--platform\); there are: linux\/arm\/v7,linux\/386 sha256:\w{12}$/,
    );
    expect(chosen(layout(true, other))).toBe(chosen(layout(true, other), undefined, host));
    expect(chosen(layout(true, other))).toContain(
      `L: no image for ${host} (--platform); there are: ${other} `,
    );
    expect(chosen(layout(false, "linux/amd64"), undefined, "linux/arm64")).toMatch(
      /^L: no image for linux\/arm64 /,
    );
  });

  it("all platforms of one image are told, some of each of several", () => {
    const all = ["linux/386", "linux/arm/v7", "linux/ppc64le", "linux/riscv64", "linux/s390x"];
    expect(chosen(layout(true, ...all), undefined, "linux/mips")).toContain(
      `there are: ${all.join(",")} sha256:`,
    );
    const docs = new MemoryLayout();
    const lists = ["a", "b"].map((name) =>
      named(REF(name), docs.list(all.map((one) => on(one, docs.image([one]))))),
    );
    lists[1] = named(REF("b"), docs.list([on("linux/386", docs.image(["x"]))]));
    expect(chosen(docs.index(...lists))).toMatch(
      /: a linux\/386,linux\/arm\/v7,linux\/ppc64le,linux\/riscv64 and 1 more sha256:\w{12} \| /,
    );
  });

  it("a digest names one image, wherever it is and for whatever platform", () => {
    const docs = new MemoryLayout();
    const image = on(other, docs.image(["deep"]));
    const inner = docs.list([on(host, docs.image(["mine"])), image]);
    docs.index(docs.list([inner]), docs.image(["else"]));
    expect(chosen(docs, image.digest)).toBe(`deep; warning: L: an image for ${other}; this host is ${host}`);
    expect(chosen(docs, image.digest, other)).toBe("deep");
    expect(chosen(docs, image.digest, host)).toMatch(
      `L: no image ${image.digest} for ${host} (--platform); `,
    );
    expect(chosen(docs, image.digest.slice(7, 19))).toMatch(/^deep;/);
    expect(chosen(docs, image.digest.slice(0, 19))).toMatch(/^deep;/);
    expect(chosen(docs, inner.digest)).toBe("mine");
    expect(chosen(docs, inner.digest, other)).toBe("deep");
  });

  it("equal digests are one image, for each platform that they are said to be for", () => {
    const docs = new MemoryLayout();
    const image = docs.image(["a"]);
    expect(chosen(docs.index(image, image))).toBe("a");
    expect(chosen(docs.index(docs.list([on("linux/s390x", image), on(host, image)])))).toBe("a");
    expect(chosen(docs, undefined, "linux/s390x")).toBe("a");
    expect(chosen(docs.index(on("linux/s390x", image), on(host, image)), undefined, "linux/s390x")).toBe("a");
  });

  it("many ways through indexes to one image end", () => {
    const docs = new MemoryLayout();
    let inner = docs.image(["a"]);
    for (let i = 0; i < 4; i++) inner = docs.list(Array<Descriptor>(500).fill(inner));
    expect(chosen(docs.index(inner))).toBe("a");
    const last = docs.image(["a"]).digest.slice(-8);
    const many = Array.from({ length: 300 }, (_, i) => ({
      ...docs.image(["a"]),
      digest: `sha256:${String(i).padStart(56, "0")}${last}`,
    }));
    const lists = many.map((one) => docs.list([...many, one]));
    expect(chosen(docs.index(...lists))).toBe("L: more than 65536 manifests in its indexes");
  });

  it("an index is as good as the images of it that are there", () => {
    const docs = layout(true, "linux/amd64/v2", "linux/amd64");
    const [[inner]] = [JSON.parse(docs.bytes("index.json").toString()).manifests];
    const { manifests } = JSON.parse(docs.bytes(`blobs/sha256/${inner.digest.slice(7)}`).toString());
    docs.files.delete(`blobs/sha256/${manifests[0].digest.slice(7)}`);
    expect(chosen(docs, undefined, "linux/amd64/v2")).toBe("linux/amd64#1");
    docs.files.delete(`blobs/sha256/${manifests[1].digest.slice(7)}`);
    expect(chosen(docs, undefined, "linux/amd64/v2")).toMatch(/^blobs\/sha256\/\w{64}: not there$/);
  });
});

describe("where no index says the platform", () => {
  const one = (config: object) => {
    const docs = new MemoryLayout();
    return docs.index(docs.image(["a"], {}, config));
  };
  const docker = (config: object) => {
    const docs = new MemoryLayout();
    docs.put("manifest.json", [docs.docker(["a"], ["app:1"], config)]);
    return docs;
  };
  it.each([
    ["a layout", one, "sha256:\\w{12}"],
    ["docker save", docker, "app:1 .* ?sha256:\\w{12}"],
  ])("its configuration does: %s", (_, make) => {
    const foreign = make({ architecture: other.split("/")[1] });
    expect(chosen(foreign)).toBe(`a; warning: L: an image for ${other}; this host is ${host}`);
    expect(chosen(foreign, undefined, other)).toBe("a");
    expect(chosen(foreign, undefined, host)).toMatch(`L: no image for ${host} (--platform); there are: `);
    const own = make({ architecture: host.split("/")[1] });
    expect(chosen(own)).toBe("a");
    const silent = make({ architecture: undefined, os: undefined });
    expect(chosen(silent)).toBe("a");
    expect(chosen(silent, undefined, host)).toMatch(`L: no image for ${host} (--platform); there are: `);
  });

  it("nor the configuration, what says its platform is better", () => {
    const docs = new MemoryLayout();
    const silent = docs.image(["silent"], {}, { architecture: undefined });
    expect(chosen(docs.index(docs.list([silent, on(host, docs.image(["a"]))])))).toBe("a");
    expect(chosen(docs.index(docs.list([silent])))).toBe("silent");
  });

  it("an image of another name is none for another platform", () => {
    const docs = new MemoryLayout();
    const first = named(NAME("docker.io/library/app:1"), on(host, docs.image(["a"])));
    const second = named(NAME("docker.io/library/tool:1"), on(other, docs.image(["b"])));
    expect(chosen(docs.index(first, second))).toMatch(
      /^L: 2 images, want one of them by --ref; there are: app:1 linux\/\w+ sha256:\w{12} \| tool:1 linux\/\w+ sha256:\w{12}$/,
    );
    expect(chosen(docs, undefined, other)).toBe("b");
    expect(chosen(docs, "tool:1")).toMatch(/^b; warning: /);
  });

  it("two of one name are one image for two platforms", () => {
    const docs = new MemoryLayout();
    const first = named(NAME("docker.io/library/app:1"), on(other, docs.image(["a"])));
    const second = named(NAME("docker.io/library/app:1"), on(host, docs.image(["b"])));
    docs.index(first, second);
    expect([chosen(docs), chosen(docs, "app:1"), chosen(docs, "app:1", other)]).toEqual(["b", "b", "a"]);
  });
});
