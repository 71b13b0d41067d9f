import { describe, expect, it } from "vitest";
import { shown } from "../../src/bytes/escape-control-chars.ts";
import { chosen, MemoryLayout, NAME, named, namedLayout, REF } from "./memory-layout.ts";

const LIST = /^L: no image \S+; there are: .* \| /;

function saved(...names: string[]): MemoryLayout {
  const docs = new MemoryLayout();
  docs.put(
    "manifest.json",
    names.map((name) => docs.docker([name], [name])),
  );
  return docs;
}

/** Each form, by what it calls an image. */
const forms: [who: string, make: () => MemoryLayout, first: string, second: string][] = [
  [
    "Docker since 25, BuildKit, containerd",
    () => namedLayout(NAME, "docker.io/library/app:1.0", "docker.io/library/app:latest"),
    "docker.io/library/app:1.0",
    "docker.io/library/app:latest",
  ],
  ["Docker before 25, skopeo", () => saved("app:1.0", "app:latest"), "app:1.0", "app:latest"],
  [
    "podman save",
    () => saved("docker.io/library/app:1.0", "docker.io/library/app:latest"),
    "docker.io/library/app:1.0",
    "docker.io/library/app:latest",
  ],
  [
    "podman save of its own",
    () => saved("localhost/app:1.0", "localhost/app:latest"),
    "localhost/app:1.0",
    "localhost/app:latest",
  ],
  [
    "podman save --format oci-archive",
    () => namedLayout(REF, "docker.io/library/app:1.0", "docker.io/library/app:latest"),
    "docker.io/library/app:1.0",
    "docker.io/library/app:latest",
  ],
  ["skopeo, buildah: oci:DIR:NAME", () => namedLayout(REF, "app:1.0", "app"), "app:1.0", "app"],
];

describe("an image is found by its name, as people write it", () => {
  describe.each(forms)("in what is written by %s", (_, make, first, second) => {
    it.each([
      ["app:1.0", first],
      ["app", second],
      ["app:latest", second],
      [first, first],
    ])("%s", (ref, want) => expect(chosen(make(), ref)).toBe(want));
    it.each([
      "app:2",
      "other",
      "ghcr.io/library/app:1.0",
      "me/app:1.0",
      "App:1.0",
      "1.0.0",
      "docker://app:1.0",
    ])("%s is not there", (ref) => expect(chosen(make(), ref)).toMatch(LIST));
    it.each(["docker.io/library/app:1.0", "library/app:1.0", "index.docker.io/app:1.0", "docker.io/app:1.0"])(
      "%s, unless it is podman's own",
      (ref) =>
        expect(chosen(make(), ref)).toMatch(first.startsWith("localhost/") ? LIST : new RegExp(`^${first}$`)),
    );
    it("each name that is shown works", () => {
      const [, all = ""] = chosen(make(), "nothing").split("; there are: ");
      const shown = all.split(" | ").map((row) => row.split(" "));
      expect(shown.map(([name = ""]) => chosen(make(), name))).toEqual([first, second]);
      expect(shown.map(([, , digest = ""]) => chosen(make(), digest))).toEqual([first, second]);
    });
  });

  it.each([
    ["localhost:5000/app:1", "localhost:5000/app:1"],
    ["registry.example:5000/a/b:1", "registry.example:5000/a/b:1"],
    ["me/app:1", "docker.io/me/app:1"],
    ["docker.io/me/app:1", "docker.io/me/app:1"],
  ])("%s of a registry", (ref, want) => {
    const names = ["localhost:5000/app:1", "registry.example:5000/a/b:1", "docker.io/me/app:1"];
    expect(chosen(namedLayout(NAME, ...names), ref)).toBe(want);
    expect(chosen(saved(...names), ref)).toBe(want);
  });

  it("docker's own before podman's, and a name as it is written before what it stands for", () => {
    expect(chosen(saved("localhost/app:1", "docker.io/library/app:1"), "app:1")).toBe(
      "docker.io/library/app:1",
    );
    expect(chosen(namedLayout(REF, "app:latest", "app"), "app")).toBe("app");
    expect(chosen(namedLayout(REF, "Not a name!", "app"), "Not a name!")).toBe("Not a name!");
  });

  it("by a tag alone, where only one image has it", () => {
    const docs = namedLayout(
      NAME,
      "docker.io/library/app:1",
      "docker.io/library/tool:1",
      "docker.io/library/app:2",
    );
    expect(chosen(docs, "2")).toBe("docker.io/library/app:2");
    expect(chosen(docs, "1")).toMatch(/^L: 2 images fit 1, want one of them by --ref; there are: app:1 /);
  });

  it("by place, as skopeo has it", () => {
    expect(chosen(saved("app:1", "app:2"), "@1")).toBe("app:2");
    expect(chosen(namedLayout(REF, "a", "b"), "@0")).toBe("a");
    expect(chosen(saved("app:1", "app:2"), "@2")).toMatch(LIST);
  });

  it("by digest: of manifest or configuration, with or without a name before it", () => {
    const docs = new MemoryLayout();
    const [a, b] = [docs.image(["a"]), docs.image(["b"])];
    docs.index(named(NAME("docker.io/library/app:1"), a), named(NAME("docker.io/library/app:2"), b));
    const config = docs.config(["a"]).digest;
    for (const ref of [
      a.digest,
      config,
      `app@${a.digest}`,
      `docker.io/library/app:9@${a.digest}`,
      config.slice(7),
    ])
      expect(chosen(docs, ref)).toBe("a");
    expect(chosen(docs, config.slice(7, 19))).toBe("a");
    expect(chosen(docs, `app@${a.digest.slice(0, 19)}`)).toBe("a");
    expect(chosen(docs, `sha256:${"0".repeat(64)}`)).toMatch(LIST);
    expect(chosen(docs, a.digest.slice(7, 10))).toMatch(LIST);
  });

  it("what is named by a digest alone is not the latest of that name", () => {
    const docs = new MemoryLayout();
    const image = docs.image(["a"]);
    const name = `docker.io/library/app@${image.digest}`;
    docs.index(
      named({ "io.containerd.image.name": name, ...REF(`@${image.digest}`) }, image),
      docs.image(["b"]),
    );
    expect([chosen(docs, name), chosen(docs, `app@${image.digest}`)]).toEqual(["a", "a"]);
    const short = `app@${image.digest.slice(0, 19)}`;
    expect(chosen(docs)).toContain(`; there are: ${short} linux/amd64 ${image.digest.slice(0, 19)} | `);
    expect(chosen(docs, short)).toBe("a");
    docs.index(named({ "io.containerd.image.name": image.digest }, image), docs.image(["b"]));
    expect(chosen(docs)).toContain(`; there are: linux/amd64 ${image.digest.slice(0, 19)} | `);
    expect(chosen(docs, "app")).toMatch(LIST);
  });

  it("several names of one image are one image", () => {
    const docs = new MemoryLayout();
    const image = docs.image(["a"]);
    docs.index(named(NAME("docker.io/library/app:1"), image), named(NAME("docker.io/library/app:2"), image));
    expect([chosen(docs), chosen(docs, "app:1"), chosen(docs, "app:2")]).toEqual(["a", "a", "a"]);
    expect(chosen(docs, "app:3")).toMatch(/^L: no image app:3; there are: app:1 .* \| app:2 /);
    const also = new MemoryLayout();
    also.put("manifest.json", [also.docker(["a"], ["app:1", "app:2"])]);
    expect([chosen(also), chosen(also, "app:2")]).toEqual(["a", "a"]);
  });

  it("a name that looks like several is quoted, and is one line for people", () => {
    const docs = namedLayout(REF, "\u001b[2Jevil\n | good linux/amd64", "good");
    expect(shown(chosen(docs))).toMatch(
      /^L: 2 images, want one of them by --ref; there are: "\\u001b\[2Jevil\\n \| good linux\/amd64" linux\/amd64 \S+ \| good linux\/amd64 \S+$/,
    );
  });

  it("many are a list that ends", () => {
    const names = Array.from({ length: 100 }, (_, i) => `app:${i}`);
    const rows = chosen(saved(...names)).split(" | ");
    expect([rows[0], rows.length, rows.at(-1)]).toEqual([
      expect.stringMatching(/^L: 100 images, want one of them by --ref; there are: app:0 /),
      41,
      "60 more",
    ]);
  });
});
