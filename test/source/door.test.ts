import { createHash } from "node:crypto";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { listTree } from "../../src/inspect/ls.ts";
import { prepareImage } from "../../src/source/prepare.ts";
import { emptyDir, run, sh, workDir } from "../support/daemon.ts";
import { END, entry, join as tar, pax } from "../tar/emit.ts";
import { NO_REPORT } from "../support/no-report.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;

const sha256 = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const file = (name: string, data: string | Uint8Array) => entry({ name, data });
const LOWER = tar(entry({ name: "srv/", type: "5" }), file("srv/page", "hello"), END);
const UPPER = tar(file("top", "t"), END);
const TREE = ["/", "/srv", "/srv/page", "/top"];

const configOf = (...layers: Uint8Array[]): string =>
  JSON.stringify({
    ...{ os: "linux", architecture: "amd64" },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
  });
const CONFIG = configOf(LOWER, UPPER);
const TAR = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

const describeBlob = (mediaType: string, bytes: string | Uint8Array) => ({
  mediaType,
  digest: `sha256:${sha256(bytes)}`,
  size: Buffer.byteLength(bytes),
});
const manifestOf = (
  config: string,
  layers: readonly (readonly [type: string, bytes: Uint8Array])[],
): string =>
  JSON.stringify({
    ...{ schemaVersion: 2, mediaType: MANIFEST },
    config: describeBlob("application/vnd.oci.image.config.v1+json", config),
    layers: layers.map(([type, bytes]) => describeBlob(type, bytes)),
  });
/** An OCI image layout. */
function ociFiles(config: string, layers: readonly (readonly [type: string, bytes: Uint8Array])[]): Files {
  const manifest = manifestOf(config, layers);
  const blobs = [config, manifest, ...layers.map(([, bytes]) => bytes)];
  return {
    ...Object.fromEntries(blobs.map((bytes) => [`blobs/sha256/${sha256(bytes)}`, bytes])),
    "index.json": JSON.stringify({ schemaVersion: 2, manifests: [describeBlob(MANIFEST, manifest)] }),
    "oci-layout": '{"imageLayoutVersion":"1.0.0"}',
  };
}
const OCI = ociFiles(CONFIG, [
  [TAR, LOWER],
  [TAR, UPPER],
]);

/** What writes archives with a manifest.json, by how they call configuration and layers. */
function dockerFiles(config: string, names: readonly string[], pack = (bytes: Uint8Array) => bytes): Files {
  const [lower = "", upper = ""] = names;
  const manifest = [{ Config: config, RepoTags: ["shop:2"], Layers: names }];
  return {
    [config]: CONFIG,
    [lower]: pack(LOWER),
    [upper]: pack(UPPER),
    "manifest.json": JSON.stringify(manifest),
  };
}
const ids = [sha256("first"), sha256("second")];
const DOCKER: Files = {
  ...dockerFiles(
    `${sha256(CONFIG)}.json`,
    ids.map((id) => `${id}/layer.tar`),
  ),
  ...Object.fromEntries(
    ids.flatMap((id) => [
      [`${id}/VERSION`, "1.0"],
      [`${id}/json`, "{}"],
    ]),
  ),
  repositories: JSON.stringify({ shop: { 2: ids[1] } }),
};
const gz = (bytes: Uint8Array) => gzipSync(bytes);
const gzNames = [LOWER, UPPER].map((bytes) => `${sha256(gz(bytes))}.tar.gz`);
const KANIKO = dockerFiles(`sha256:${sha256(CONFIG)}`, gzNames, gz);
const JIB = dockerFiles("config.json", gzNames, gz);
const BAZEL = dockerFiles("shop.config", ["layers/lower/layer.tar", "layers/upper/layer.tar"]);
const DIR: Files = {
  version: "Directory Transport Version: 1.1\n",
  "manifest.json": manifestOf(CONFIG, [
    [TAR, LOWER],
    [TAR, UPPER],
  ]),
  ...Object.fromEntries([CONFIG, LOWER, UPPER].map((bytes) => [sha256(bytes), bytes])),
};

const without = (files: Files, ...names: string[]): Files =>
  Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)));
const packed = (files: Files, prefix = "", first: Uint8Array = new Uint8Array(0)): Uint8Array =>
  tar(first, ...Object.entries(files).map(([name, data]) => file(prefix + name, data)), END);
function put(files: Files, dir: string): string {
  for (const [name, data] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), data);
  }
  return dir;
}
function write(bytes: string | Uint8Array, name = "given"): string {
  const path = join(workDir(), name);
  writeFileSync(path, bytes);
  return path;
}

/** Paths of the image that is made of sources, and what was warned of. */
async function treeOf(paths: readonly string[], more: object = {}) {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const { bootstrap } = await prepareImage({
    ...{ paths, cacheDir: join(workDir(), "cache"), blobDirs: [], report: NO_REPORT, warn },
    ...more,
  });
  let text = "";
  listTree(bootstrap, "/", true, (piece) => {
    text += piece;
  });
  const tree = text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).path);
  return { tree: tree.sort(), warnings };
}
const messageOf = (of: Promise<unknown>): Promise<string> =>
  of.then(
    () => "nothing is refused",
    (error: Error) => error.message,
  );

describe("an archive of an image is opened as what it is", () => {
  const dot = entry({ name: "./", type: "5" });
  const comment = pax({ comment: "c".repeat(3000) }, "g");
  const lastDocuments = (files: Files): Files => ({
    ...without(files, "index.json", "manifest.json", "oci-layout"),
    ...files,
  });
  const many = Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [`${sha256(`${i}`)}/VERSION`, "1.0"]),
  );
  it.each([
    ["OCI", OCI],
    ["docker save before version 25", DOCKER],
    ["Kaniko and crane", KANIKO],
    ["Jib", JIB],
    ["Bazel", BAZEL],
    ["skopeo's dir", DIR],
    ["docker save, of 10,000 files", { ...many, ...DOCKER }],
    [
      "docker save, with notes beside it",
      { ...DOCKER, "README.md": "r", "._index.json": "", ".DS_Store": "" },
    ],
  ])("%s: plain, from ./ on, with a comment first, compressed", async (_, files) => {
    for (const bytes of [
      packed(files),
      packed(files, "./", dot),
      packed(lastDocuments(files), "", comment),
      gz(packed(files, "./", dot)),
    ])
      expect((await treeOf([write(bytes)])).tree).toEqual(TREE);
  });

  it.each(["zstd -q", "xz", "bzip2"])("compressed with %s", async (command) => {
    const path = write(packed(OCI), "given.tar");
    sh(`${command} "$F"`, { F: path });
    const [name = ""] = readdirSync(dirname(path)).filter((each) => each !== "given.tar");
    expect((await treeOf([join(dirname(path), name)])).tree).toEqual(TREE);
  });

  it.each([
    ["OCI", OCI],
    ["docker save before version 25, compressed", DOCKER],
  ])("from a fifo, as <( ) makes them: %s", async (_, files) => {
    const fifo = join(workDir(), "fifo");
    execFileSync("mkfifo", [fifo]);
    const path = write(gz(packed(files)));
    spawn("sh", ["-c", 'cat "$0" >"$1"', path, fifo], { stdio: "ignore" });
    expect((await treeOf([fifo])).tree).toEqual(TREE);
  });

  it("packed with tar -S: what has holes is copied into the cache, once", async () => {
    const disk = new Uint8Array(2 << 20);
    const layer = tar(file("head", "h"), file("disk", Buffer.concat([disk, Buffer.from("end")])), END);
    const config = configOf(layer);
    for (const format of ["gnu", "pax"]) {
      const dir = put(ociFiles(config, [[TAR, layer]]), join(workDir(), "oci"));
      sh(
        `cd "$D"; for f in blobs/sha256/*; do fallocate -d "$f"; done; tar -S --format=${format} -cf ../s.tar .`,
        {
          D: dir,
        },
      );
      expect(sh('ls -s "$F"', { F: join(dir, "../s.tar") })).toMatch(/^\d{2,3} /);
      const cacheDir = join(workDir(), "cache");
      for (let i = 0; i < 2; i++)
        expect((await treeOf([join(dir, "../s.tar")], { cacheDir })).tree).toEqual(["/", "/disk", "/head"]);
      const blobs = readdirSync(join(cacheDir, "blobs")).map((name) => name.slice(0, 64));
      expect(blobs).toEqual([sha256(layer)]);
    }
  });
});

describe("by skopeo's names", () => {
  it.each([
    ["oci:", OCI, ""],
    ["oci:", OCI, `:sha256:${sha256(CONFIG)}`],
    ["dir:", DIR, ""],
  ])("%s", async (name, files, ref) => {
    expect((await treeOf([`${name}${put(files, join(workDir(), "d"))}${ref}`])).tree).toEqual(TREE);
  });
  it.each([
    ["oci-archive:", OCI, ""],
    ["docker-archive:", DOCKER, ":shop:2"],
    ["docker-archive:", { ...OCI, ...DOCKER }, ":shop:2"],
  ])("%s", async (name, files, ref) => {
    expect((await treeOf([`${name}${write(packed(files))}${ref}`])).tree).toEqual(TREE);
  });
  it.each([
    [(path: string) => `oci-archive:${path}`, DOCKER, /: no oci-archive: it has no index\.json$/],
    [(path: string) => `docker-archive:${path}`, OCI, /: no docker-archive: it has no manifest\.json$/],
    [(path: string) => `docker-archive:${path}:shop:3`, DOCKER, /: no image shop:3; there /],
    [(path: string) => `oci:${path}`, OCI, /: a file, not a directory: want oci-archive:/],
    [(path: string) => `oci:${dirname(path)}`, OCI, /: a directory, but no OCI image layout: /],
    [(path: string) => `dir:${dirname(path)}`, OCI, /: a directory, but not of skopeo's form dir: /],
    [(path: string) => `docker-archive:${dirname(path)}`, OCI, /: a directory, not an archive: /],
    [() => "oci:", OCI, /^oci:: want oci:PATH$/],
  ])("%s: refused", async (source, files, want) => {
    expect(await messageOf(treeOf([source(write(packed(files)))]))).toMatch(want);
  });
  it("says so when --ref says something else", async () => {
    const source = `docker-archive:${write(packed(DOCKER))}:shop:2`;
    expect((await treeOf([source], { ref: "shop:2" })).tree).toEqual(TREE);
    expect(await messageOf(treeOf([source], { ref: "shop:1" }))).toBe(
      "--ref shop:1 contradicts the name of the source, which says shop:2",
    );
  });
});

describe("a layer stays a layer", () => {
  const paths = (files: Files): string[] => {
    const all = new Set(["/"]);
    for (const name of Object.keys(files))
      for (let path = `/${name}`; path !== "/"; path = dirname(path)) all.add(path);
    return [...all].sort();
  };
  it.each([
    ["with an OCI layout and other files", { ...OCI, "etc/passwd": "" }, 1],
    ["with what docker save wrote and other files", { ...DOCKER, "usr/bin/sh": "" }, 1],
    ["with an OCI layout in a directory", { "srv/index.json": "{}", "srv/oci-layout": "{}" }, 0],
    ["of a web site", { "index.json": '{"name":"shop"}', "manifest.json": '{"icons":[]}' }, 0],
    [
      "with a manifest.json of its own",
      { "manifest.json": "[]", "index.json": "{}", "blobs/x": "x", other: "" },
      0,
    ],
    ["with a file called repositories", { repositories: '{"main":"https://…"}' }, 0],
  ])("%s", async (_, files, warned) => {
    for (const bytes of [packed(files), gz(packed(files))]) {
      const { tree, warnings } = await treeOf([write(bytes)]);
      expect(tree).toEqual(paths(files));
      expect(warnings.filter((one) => one.includes("taken for a layer, though"))).toHaveLength(warned);
    }
  });
  it("which is an OCI layout, when an image has it", async () => {
    const layer = packed(OCI);
    const image = packed(ociFiles(configOf(layer), [[TAR, layer]]));
    expect((await treeOf([write(image)])).tree).toEqual(paths(OCI));
  });
  it("and its images are had by saying so", async () => {
    const path = write(packed({ ...OCI, "etc/passwd": "" }));
    expect((await treeOf([`oci-archive:${path}`])).tree).toEqual(TREE);
  });
});

describe("nothing is refused that is an empty tar, or an empty layer of an image", () => {
  it.each([1024, 10_240])("a tar of %i zeros", async (length) => {
    expect((await treeOf([write(new Uint8Array(length))])).tree).toEqual(["/"]);
  });
  it("a tar with a comment only", async () => {
    expect((await treeOf([write(tar(pax({ comment: "c" }, "g"), END))])).tree).toEqual(["/"]);
  });
  it("layers of an image: none, zeros, both compressed", async () => {
    const none = new Uint8Array(0);
    const zeros = new Uint8Array(20_480);
    const config = configOf(LOWER, none, zeros, none, zeros);
    const files = ociFiles(config, [
      [TAR, LOWER],
      [TAR, none],
      [TAR, zeros],
      [`${TAR}+gzip`, gz(none)],
      [`${TAR}+gzip`, gz(zeros)],
    ]);
    expect((await treeOf([put(files, join(workDir(), "oci"))])).tree).toEqual(["/", "/srv", "/srv/page"]);
  });
});

describe("an archive among other files is a layer, and told with what mounts the image in it", () => {
  const others = { "usr/bin/x": "x" };
  it.each([
    [
      "an OCI archive",
      { ...OCI, ...others },
      /oci-archive:FILE or docker-archive:FILE mounts the image in that$/,
    ],
    [
      "one of Docker before 1.10",
      { ...without(DOCKER, "manifest.json"), ...others },
      /before Docker 1\.10 is among its files; if that is meant, docker load it, and docker save it again$/,
    ],
  ])("%s", async (_, files: Files, want) => {
    const { warnings } = await treeOf([write(packed(files))]);
    expect(warnings).toEqual([expect.stringMatching(want)]);
  });
});

describe("an image that was not copied whole", () => {
  it.each([
    [
      "its manifest",
      sha256(
        manifestOf(CONFIG, [
          [TAR, LOWER],
          [TAR, UPPER],
        ]),
      ),
    ],
    ["its configuration", sha256(CONFIG)],
    ["a layer", sha256(UPPER)],
  ])("lacks %s", async (name, id) => {
    const lacking = put(without(OCI, `blobs/sha256/${id}`), join(workDir(), name));
    await expect(treeOf([lacking])).rejects.toThrow(
      `${id}: not there: not all of the image was copied; copy it again, e.g. with skopeo copy`,
    );
  });
});

describe("refused by name, with what helps", () => {
  const zeros = (length: number) => new Uint8Array(length);
  const at = (offset: number, bytes: string, length = 4096): Uint8Array => {
    const all = zeros(length);
    all.set(Buffer.from(bytes, "latin1"), offset);
    return all;
  };
  const cases: [name: string, bytes: string | Uint8Array, want: RegExp][] = [
    ["nothing", "", /: no bytes at all: did what should write it fail\?$/],
    ["half an end marker", zeros(512), /: no tar: nothing but zeros, as on a blank disk \(512 bytes\)$/],
    ["a blank disk", zeros(1 << 20), /nothing but zeros/],
    ["ext4", at(1080, "\x53\xef"), /: an ext2, ext3 or ext4 file system, no layer; mount -o ro,loop \S+ DIR/],
    ["squashfs", at(0, "hsqs"), /: a squashfs image, no layer; sqfs2tar \S+ > \S+\.tar/],
    ["zip", at(0, "PK\x03\x04"), /: a zip archive, no layer; .*bsdtar -cf \S+ @/],
    ["lz4", at(0, "\x04\x22\x4d\x18"), /: lz4 data, no layer; decompress it first: lz4 -d /],
    ["qcow2", at(0, "QFI\xfb"), /: a QEMU disk image \(qcow\), no layer; /],
    ["RAFS v5", at(0, "SFAR"), /: a RAFS v5 bootstrap, no layer; /],
    ["JSON", '{"schemaVersion":2}', /: a JSON document, no layer; /],
    [
      "an end marker and something else",
      tar(END, file("f", "x")),
      /: no tar: it begins with an end marker, and other/,
    ],
    [
      "an archive of Docker before 1.10",
      packed(without(DOCKER, "manifest.json", `${sha256(CONFIG)}.json`)),
      /before Docker 1\.10/,
    ],
    [
      "half an archive",
      packed(without(DOCKER, "manifest.json", "repositories")),
      /without index\.json and manifest\.json: cut off/,
    ],
    [
      "a table of contents of eStargz",
      packed({ "stargz.index.json": "{}" }),
      /: a table of contents of an eStargz layer/,
    ],
    [
      "a nydus blob",
      tar(Buffer.alloc(700, "d"), entry({ name: "rafs.blob.toc" })).slice(-1212),
      /: a nydus blob, no layer; /,
    ],
  ];
  it.each(cases)("%s", async (_, bytes, want) => {
    expect(await messageOf(treeOf([write(bytes)]))).toMatch(want);
  });
  it.each(cases.filter(([name]) => !/archive|table/.test(name)))("%s, compressed", async (_, bytes, want) => {
    const cacheDir = join(workDir(), "cache");
    const what = /^: (.*?), no layer/.exec(want.source)?.[1];
    const said = await messageOf(treeOf([write(gzipSync(bytes))], { cacheDir }));
    expect(said).toMatch(
      what === undefined ? want : new RegExp(`: what is stored in it is ${what}, no tar$`),
    );
    expect(readdirSync(join(cacheDir, "blobs"))).toEqual([]);
  });
  it.each([
    ["/dev/null", /no bytes at all/],
    ["/dev/zero", /nothing but zeros, as on a blank disk \(\d+ bytes so far\)$/],
    ["/dev/urandom", /compressed, damaged, or no tar$/],
  ])("%s", async (path, want) => {
    expect(await messageOf(treeOf([path]))).toMatch(want);
  });
  it.each([
    [
      "shop",
      "shop: no such file; an image of that name is fetched with skopeo copy docker://shop oci:shop, and mounted with nydusd-ts mount shop DIR",
    ],
    [
      "quay.io/shop/app:1.0",
      "quay.io/shop/app:1.0: no such file; an image of that name is fetched with skopeo copy docker://quay.io/shop/app:1.0 oci:app, and mounted with nydusd-ts mount app DIR",
    ],
    ["shop.tar", "shop.tar: no such file"],
    ["./shop", "./shop: no such file"],
    [
      "docker://shop:1",
      "docker://shop:1: an image in a registry, which is not fetched here: skopeo copy docker://shop:1 oci:DIR",
    ],
    [
      "docker-daemon:shop:1",
      "docker-daemon:shop:1: an image in Docker's own store, which is not fetched here: docker save -o FILE.tar shop:1",
    ],
    [
      "containers-storage:shop",
      "containers-storage:shop: an image in podman's own store, which is not fetched here: podman save -o FILE.tar shop",
    ],
    [
      "https://shop.example/l.tar",
      "https://shop.example/l.tar: an image on a web server, which is not fetched here: curl -fLo FILE https://shop.example/l.tar",
    ],
  ])("%s, which is not there", async (source, want) => {
    expect(await messageOf(treeOf([source]))).toBe(want);
  });
  it("a directory, also when it stands where the image should", async () => {
    const dir = workDir();
    const none = `${dir}: a directory, but no OCI image layout: it has no file oci-layout`;
    expect(await messageOf(treeOf([dir]))).toBe(
      `${none}; tar -C ${dir} -cf FILE.tar . makes a layer of what is in it`,
    );
    const mountpoint = write(packed(OCI));
    expect(await messageOf(treeOf([dir], { mountpoint }))).toBe(
      `${dir}: a directory, and ${mountpoint} is a file: the image comes first, then the directory to mount it on`,
    );
  });
  it.each([
    ["there", undefined, "is not there: copy it again"],
    ["JSON", "{", "is no JSON: copy it again"],
    ["shallow", '{"a":'.repeat(100), "has more than 64 lists and objects within one another"],
    ["short", `{"manifests":[${"1,".repeat(1 << 18)}1]}`, "has more than 262144 values"],
  ])("a layout whose index.json is not %s", async (_, index, want) => {
    const dir = workDir();
    writeFileSync(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    if (index !== undefined) writeFileSync(join(dir, "index.json"), index);
    for (const source of [dir, `oci:${dir}`])
      expect(await messageOf(treeOf([source]))).toBe(`${dir}: an OCI image layout whose index.json ${want}`);
  });
  it.each([
    ["+encrypted", "an encrypted layer: skopeo copy --decryption-key"],
    ["application/vnd.oci.image.layer.nydus.blob.v1", "a nydus blob: "],
    ["application/vnd.example.thing", "an artifact or something else, no layer of an image"],
  ])("a layer of media type %s", async (type, want) => {
    const mediaType = type.startsWith("+") ? `${TAR}${type}` : type;
    const files = ociFiles(configOf(UPPER), [[mediaType, UPPER]]);
    expect(await messageOf(treeOf([write(packed(files))]))).toContain(
      `: blobs/sha256/${sha256(UPPER)}: media type ${mediaType}: ${want}`,
    );
  });
  it("a foreign layer, with where it is", async () => {
    const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    const urls = ["https://shop.example/windows"];
    const layer = { ...describeBlob(foreign, UPPER), urls };
    const manifest = JSON.stringify({
      config: describeBlob("application/vnd.oci.image.config.v1+json", configOf(UPPER)),
      layers: [layer],
    });
    const files = {
      [`blobs/sha256/${sha256(manifest)}`]: manifest,
      [`blobs/sha256/${sha256(configOf(UPPER))}`]: configOf(UPPER),
      "index.json": JSON.stringify({ manifests: [describeBlob(MANIFEST, manifest)] }),
    };
    expect(await messageOf(treeOf([put(files, join(workDir(), "oci"))]))).toMatch(
      /: a foreign layer, which is not part of the image: curl -fLo its file from https:\/\/shop\.example\/windows$/,
    );
  });
});

describe("what is said before work", () => {
  it("a cache that cannot be written to, and why", async () => {
    const cacheDir = write("a file, not a directory");
    expect(await messageOf(treeOf([write(UPPER)], { cacheDir }))).toMatch(
      /^cache \S+: not a directory; name another with --cache-dir$/,
    );
  });
  it("options that mean nothing for what there is", async () => {
    const layer = write(UPPER);
    const archive = write(packed(OCI));
    const want = (option: string, path: string) =>
      `${option} has no meaning for ${path}: it says where the tars of a bootstrap are`;
    for (const path of [layer, archive])
      for (const option of ["--blob", "--blob-dir", "--localfs-dir"])
        expect(await messageOf(treeOf([path], { blobOptions: [option] }))).toBe(want(option, path));
    const layout = put(OCI, join(workDir(), "oci"));
    expect((await treeOf([layout], { blobOptions: ["--blob-dir"] })).tree).toEqual(TREE);
    expect(await messageOf(treeOf([layout], { blobOptions: ["--blob"] }))).toBe(want("--blob", layout));
  });
  it("the same by the command, and nothing is mounted", () => {
    const { status, stderr } = run(["mount", write(UPPER), emptyDir(), "--blob", "7=x"]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^Error: --blob has no meaning for /),
    });
  });
});
