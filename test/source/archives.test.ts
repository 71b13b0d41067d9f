import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withoutIno } from "../mkfs/support.ts";
import { emptyDir, run, sh, start, workDir } from "../support/daemon.ts";
import { type Expected, fixture } from "../support/image.ts";
import { dumpTree, sorted } from "../support/tree.ts";
import { configOf, dockerDir, LAYERS, ociDir, pack, putBlob, sha256 } from "./images.ts";

const WANT = withoutIno(sorted(fixture("12-merged").entries));

async function mounted(source: string, cache: string, ...more: string[]): Promise<Omit<Expected, "ino">[]> {
  const daemon = await start(["--cache-dir", cache, ...more], emptyDir(), [
    "mount",
    "--driver",
    "fuse",
    source,
  ]);
  const tree = dumpTree(daemon.mountpoint);
  expect(await daemon.stop()).toBe(0);
  return withoutIno(sorted(tree));
}

/** What the command says of a source that it refuses. */
function refused(source: string, ...more: string[]): string {
  const { status, stderr } = run([
    "mount",
    source,
    emptyDir(),
    "--cache-dir",
    join(workDir(), "cache"),
    ...more,
  ]);
  expect(status).toBe(1);
  return stderr;
}

/** Same as skopeo's source for all of them: a layout made by umoci, whose layers are compressed. */
function umociLayout(dir: string): string {
  sh(
    `cd "$W"; umoci init --layout oci; umoci new --image oci:one
     while IFS= read -r tar; do umoci raw add-layer --image oci:one "$tar"; done <<<"$TARS"`,
    { W: dir, TARS: LAYERS.join("\n") },
  );
  return join(dir, "oci");
}

/** Each form of archive, and how many tars of its layers have to be in the cache. */
const forms: [name: string, make: (dir: string) => string, inCache: number][] = [
  ["docker save", (dir) => pack(ociDir(join(dir, "new"), LAYERS, "app:1")), 0],
  ["docker save of old versions", (dir) => pack(dockerDir(join(dir, "old"), LAYERS, "app:1")), 0],
  [
    "docker save of old versions, with ./ in front",
    (dir) => {
      sh('cd "$D"; tar -cf ../dot.tar .', { D: dockerDir(join(dir, "old"), LAYERS, "app:1") });
      return join(dir, "dot.tar");
    },
    0,
  ],
  [
    "skopeo copy to docker-archive",
    (dir) => {
      const args = { S: `oci:${umociLayout(dir)}:one`, T: `docker-archive:${dir}/s.tar:app:1` };
      sh('skopeo --insecure-policy copy -q "$S" "$T"', args);
      return join(dir, "s.tar");
    },
    0,
  ],
  [
    "skopeo copy to oci-archive, layers compressed",
    (dir) => {
      const args = { S: `oci:${umociLayout(dir)}:one`, T: `oci-archive:${dir}/s.tar:app` };
      sh('skopeo --insecure-policy copy -q "$S" "$T"', args);
      return join(dir, "s.tar");
    },
    3,
  ],
  [
    "docker save | gzip",
    (dir) => {
      sh('gzip "$A"', { A: pack(ociDir(join(dir, "new"), LAYERS, "app:1")) });
      return join(dir, "new.tar.gz");
    },
    1,
  ],
  [
    "docker save of old versions | zstd",
    (dir) => {
      sh('zstd -q "$A"', { A: pack(dockerDir(join(dir, "old"), LAYERS, "app:1")) });
      return join(dir, "old.tar.zst");
    },
    1,
  ],
];

describe("an archive is mounted", () => {
  it.each(forms)("%s", async (_, make, inCache) => {
    const dir = workDir();
    const source = make(dir);
    const cache = join(dir, "cache");
    expect(await mounted(source, cache)).toEqual(WANT);
    const ids = new Set(readdirSync(join(cache, "blobs")).map((name) => name.slice(0, 64)));
    expect(ids.size).toBe(inCache);
    const inodes = () => {
      const paths = readdirSync(cache, { recursive: true, encoding: "utf8" });
      return [...new Set(paths.map((name) => statSync(join(cache, name)).ino))].sort();
    };
    const before = inodes();
    expect(await mounted(source, cache)).toEqual(WANT);
    expect(inodes()).toEqual(before);
  });

  it("by the kernel, too, with one blob for all of its layers", async () => {
    const dir = workDir();
    const { stdout, status } = run([
      "mount",
      "--driver",
      "erofs",
      pack(ociDir(join(dir, "new"), LAYERS, "app:1")),
      emptyDir(),
      "--cache-dir",
      join(dir, "cache"),
    ]);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^ready .* mountpoint=(\S+) .* blobs=1 /),
    });
    const mountpoint = /mountpoint=(\S+)/.exec(stdout)?.[1] ?? "";
    expect(withoutIno(sorted(dumpTree(mountpoint)))).toEqual(WANT);
    expect(run(["umount", mountpoint]).status).toBe(0);
  });

  it("whose layers are the same, and below a layer of its own", async () => {
    const dir = workDir();
    const same = pack(dockerDir(join(dir, "same"), [LAYERS[0], LAYERS[1], LAYERS[0]], "app:1"));
    const want = await mounted(
      pack(dockerDir(join(dir, "also"), [LAYERS[0], LAYERS[1]], "app:2")),
      join(dir, "c1"),
    );
    // The lowest layer again brings back what the second took away.
    const found = await mounted(same, join(dir, "c2"));
    expect(found.length).toBeGreaterThan(want.length - 1);
    sh('cd "$D"; echo new >added; tar -cf top.tar added', { D: dir });
    const daemon = await start(["--cache-dir", join(dir, "c2")], emptyDir(), [
      "mount",
      "--driver",
      "fuse",
      same,
      join(dir, "top.tar"),
    ]);
    expect(readFileSync(join(daemon.mountpoint, "added"), "utf8")).toBe("new\n");
    expect(await daemon.stop()).toBe(0);
  });

  it("after a longer one that begins with the same layers", async () => {
    const dir = workDir();
    const short = pack(dockerDir(join(dir, "short"), LAYERS, "app:1"));
    const long = join(dir, "long.tar");
    sh('cp "$SHORT" "$LONG"; truncate -s +10240 "$LONG"', { SHORT: short, LONG: long });
    const cache = join(dir, "cache");
    for (const source of [long, short]) expect(await mounted(source, cache)).toEqual(WANT);
  });

  it("as one layer when it only looks like an archive, compressed or not", async () => {
    const dir = workDir();
    sh(
      `cd "$D"; echo "[]" >manifest.json; echo "{}" >index.json; mkdir blobs; echo x >blobs/x; echo x >other
       tar -cf l.tar blobs index.json manifest.json other; gzip -k l.tar`,
      { D: dir },
    );
    for (const name of ["l.tar", "l.tar.gz"]) {
      const names = (await mounted(join(dir, name), join(dir, "cache"))).map(({ path }) => path);
      expect(names).toEqual(["/", "/blobs", "/blobs/x", "/index.json", "/manifest.json", "/other"]);
    }
  });
});

describe("of several images in an archive", () => {
  const two = (dir: string) => {
    const at = join(dir, "two");
    dockerDir(at, LAYERS, "app:1");
    const [first] = JSON.parse(readFileSync(join(at, "manifest.json"), "utf8"));
    dockerDir(at, LAYERS.slice(0, 1), "app:2");
    const [second] = JSON.parse(readFileSync(join(at, "manifest.json"), "utf8"));
    writeFileSync(join(at, "manifest.json"), JSON.stringify([first, second]));
    return { archive: pack(at), id: first.Config.replace(".json", "") };
  };
  it("one is chosen by its name or id", async () => {
    const dir = workDir();
    const { archive, id } = two(dir);
    for (const ref of ["app:1", id, `sha256:${id}`])
      expect(await mounted(archive, join(dir, "cache"), "--ref", ref)).toEqual(WANT);
  });
  it("none is taken without being named", () => {
    const { archive, id } = two(workDir());
    expect(refused(archive)).toMatch(
      new RegExp(
        `^Error: ${archive}: 2 images, want one of them by --ref; there are: ` +
          `app:1 linux/amd64 sha256:${id.slice(0, 12)} \\| app:2 linux/amd64 sha256:\\w{12}\n$`,
      ),
    );
    expect(refused(archive, "--ref", "app:3")).toMatch(/: no image app:3; there are: app:1 /);
  });
  it("containerd's name for it does, too", async () => {
    const dir = workDir();
    const archive = pack(ociDir(join(dir, "new"), LAYERS, "app:1"));
    expect(await mounted(archive, join(dir, "cache"), "--ref", "docker.io/library/app:1")).toEqual(WANT);
    expect(refused(archive, "--platform", "linux/arm64")).toMatch(
      /: no image for linux\/arm64 \(--platform\); there are: app:1 linux\/amd64 sha256:\w{12}\n$/,
    );
  });
});

it("an image without layers is mounted as an empty directory, also beside a layer", async () => {
  const dir = workDir();
  const empty = pack(ociDir(join(dir, "new"), [], "app:1"));
  expect((await mounted(empty, join(dir, "cache"))).map(({ path }) => path)).toEqual(["/"]);
  const { status, stderr } = run([
    ...["mount", "--driver", "fuse", "--daemonize", "--cache-dir", join(dir, "cache"), empty, LAYERS[0]],
    emptyDir(),
    ...["--platform", "linux/arm64"],
  ]);
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/: no image for linux\/arm64 \(--platform\); /),
  ]);
});

it("a platform that is none is a usage error", () => {
  const { status, stderr } = run(["mount", LAYERS[0], emptyDir(), "--platform", "linux/amd64/v2/x"]);
  expect([status, stderr]).toEqual([
    2,
    expect.stringMatching(
      /'linux\/amd64\/v2\/x' is invalid. want os\/architecture\[\/variant\], such as linux\/arm64\.\n/,
    ),
  ]);
});

describe("an archive is refused", () => {
  const edited = (edit: (dir: string) => void): string => {
    const dir = dockerDir(join(workDir(), "a"), LAYERS, "app:1");
    edit(dir);
    return pack(dir);
  };
  const manifest = (dir: string) => JSON.parse(readFileSync(join(dir, "manifest.json"), "utf8"))[0];
  const rewrite = (dir: string, more: object) =>
    writeFileSync(join(dir, "manifest.json"), JSON.stringify([{ ...manifest(dir), ...more }]));
  const cases: [name: string, edit: (dir: string) => void, want: RegExp][] = [
    [
      "no JSON",
      (dir) => writeFileSync(join(dir, "manifest.json"), "{"),
      /^Error: \S+a\.tar: manifest\.json: not JSON\n$/,
    ],
    [
      "no manifest",
      (dir) => writeFileSync(join(dir, "manifest.json"), "{}"),
      /a\.tar: manifest\.json: document: Invalid input: expected array/,
    ],
    ["no images", (dir) => writeFileSync(join(dir, "manifest.json"), "[]"), /a\.tar: no image in it\n$/],
    [
      "a field of another type",
      (dir) => rewrite(dir, { Layers: [1] }),
      /manifest\.json: 0\.Layers\.0: Invalid input: expected string/,
    ],
    [
      "a layer that is not there",
      (dir) => sh('cd "$D"; rm -r "$L"', { D: dir, L: manifest(dir).Layers[1] }),
      /a\.tar: \w{64}\/layer\.tar: not there: not all of the image was copied; copy it again, e\.g\. with skopeo copy\n$/,
    ],
    [
      "a configuration that is not there",
      (dir) => rewrite(dir, { Config: "none.json" }),
      /a\.tar: none\.json: not there: not all of the image was copied; copy it again, e\.g\. with skopeo copy\n$/,
    ],
    [
      "a configuration whose layers are others",
      (dir) => writeFileSync(join(dir, manifest(dir).Config), configOf([...LAYERS].reverse())),
      /a\.tar: \w{64}\/layer\.tar: the sha256 of its tar is \w{64}, the image's config wants \w{64}\n$/,
    ],
    [
      "fewer layers than its configuration has",
      (dir) => rewrite(dir, { Layers: manifest(dir).Layers.slice(1) }),
      /a\.tar: 2 layers, but 3 diff_ids in \w{64}\.json\n$/,
    ],
    [
      "a layer that is another one",
      (dir) => rewrite(dir, { Layers: [0, 0, 2].map((i) => manifest(dir).Layers[i]) }),
      /a\.tar: \w{64}\/layer\.tar: the sha256 of its tar is \w{64}, the image's config wants \w{64}\n$/,
    ],
  ];
  it.each(cases)("with %s", (_, edit, want) => expect(refused(edited(edit))).toMatch(want));

  it("for another platform than the one that is asked for", () => {
    const archive = pack(dockerDir(join(workDir(), "a"), LAYERS, "app:1"));
    expect(refused(archive, "--platform", "linux/arm64")).toMatch(
      /a\.tar: no image for linux\/arm64 \(--platform\); there are: app:1 linux\/amd64 sha256:\w{12}\n$/,
    );
  });

  it("that is cut off: it is no archive any more, and no layer", () => {
    const archive = pack(dockerDir(join(workDir(), "a"), LAYERS, "app:1"));
    truncateSync(archive, statSync(archive).size - 20_000);
    expect(refused(archive)).toMatch(/^Error: \S+a\.tar @0x\w+: /);
  });
  it("that is compressed and cut off, and nothing is left of it", () => {
    const dir = workDir();
    sh('gzip "$A"', { A: pack(dockerDir(join(dir, "a"), LAYERS, "app:1")) });
    truncateSync(join(dir, "a.tar.gz"), statSync(join(dir, "a.tar.gz")).size - 20);
    const { stderr } = run(["mount", join(dir, "a.tar.gz"), emptyDir(), "--cache-dir", join(dir, "cache")]);
    expect(stderr).toMatch(/^Error: \S+a\.tar\.gz: not gzip, damaged or cut off: /);
    expect(readdirSync(join(dir, "cache/blobs"))).toEqual([]);
  });
  it("whose index leads to itself", () => {
    const dir = join(workDir(), "loop");
    const index = "application/vnd.oci.image.index.v1+json";
    let inner = putBlob(dir, index, JSON.stringify({ manifests: [] }));
    for (let i = 0; i < 6; i++) inner = putBlob(dir, index, JSON.stringify({ manifests: [inner] }));
    writeFileSync(join(dir, "oci-layout"), "{}");
    writeFileSync(join(dir, "index.json"), JSON.stringify({ manifests: [inner] }));
    expect(refused(pack(dir))).toMatch(
      /loop\.tar: its indexes are nested too deep: each leads to another\n$/,
    );
    expect(sha256("")).toHaveLength(64);
  });
});
