import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { withoutIno } from "../mkfs/support.ts";
import { COMMAND, emptyDir, run, sh, shell, start, workDir } from "../support/daemon.ts";
import { type Expected, fixture } from "../support/image.ts";
import { dumpTree, sorted } from "../support/tree.ts";

const MERGED = dirname(fixture("12-merged").path);
const LAYERS = [1, 2, 3].map((n) => join(MERGED, `l${n}.tar`));
const WANT = withoutIno(sorted(fixture("12-merged").entries));

/** Mounts sources with a cache of their own; what is there, and what is in the cache afterwards. */
async function mounted(sources: readonly string[], cache: string, ...more: string[]): Promise<Expected[]> {
  const daemon = await start(["--driver", "fuse", "--cache-dir", cache, ...more], emptyDir(), [
    "mount",
    ...sources,
  ]);
  const tree = dumpTree(daemon.mountpoint);
  expect(await daemon.stop()).toBe(0);
  return tree;
}

/** Inodes by name. A tar has another name, too, until the disk has it. */
const files = (dir: string) =>
  Object.fromEntries(
    readdirSync(dir, { recursive: true, encoding: "utf8" })
      .filter((name) => statSync(join(dir, name)).isFile())
      .map((name) => [name.replace(/^(blobs\/\w{64})\..*/, "$1"), statSync(join(dir, name)).ino]),
  );

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("nydusd-ts mount SOURCE… DIR", () => {
  it("mounts layers, plain and compressed, and has nothing to do the second time", async () => {
    const dir = workDir();
    const cache = join(dir, "cache");
    const gz = join(dir, "l2.whatever");
    writeFileSync(gz, gzipSync(readFileSync(LAYERS[1])));
    const sources = [LAYERS[0], gz, LAYERS[2]];
    expect(withoutIno(sorted(await mounted(sources, cache)))).toEqual(WANT);
    const before = files(cache);
    expect(Object.keys(before).filter((name) => name.startsWith("blobs/"))).toEqual([
      `blobs/${sha256(readFileSync(LAYERS[1]))}`,
    ]);
    expect(Object.keys(before).length).toBe(1 + 3 + 1 + 4);
    expect(statSync(cache).mode & 0o077).toBe(0);
    expect(withoutIno(sorted(await mounted(sources, cache)))).toEqual(WANT);
    expect(files(cache)).toEqual(before);
  });

  it("applies the whiteouts of a single layer, and of a fifo", async () => {
    const dir = workDir();
    sh(
      'cd "$D"; mkfifo fifo; echo x >f; : >.wh.gone; tar -cf l.tar f .wh.gone; bash -c "cat l.tar >fifo" >/dev/null 2>&1 &',
      {
        D: dir,
      },
    );
    const names = (await mounted([join(dir, "fifo")], join(dir, "cache"))).map(({ path }) => path);
    expect(names).toEqual(["/", "/f"]);
  });

  it("mounts what comes on standard input, compressed or not", async () => {
    for (const filter of ["cat", "gzip", "zstd"]) {
      const dir = workDir();
      const script = `mkdir "$1/m"; ${filter} <"$4" 2>/dev/null | "$2" "$3" mount --driver erofs - "$1/m" --cache-dir "$1/c" >/dev/null
        ls "$1/m"; umount "$1/m"`;
      const { stdout, status } = await shell(script, dir, process.execPath, COMMAND, LAYERS[0]);
      expect({ stdout, status }).toEqual({
        stdout: sh('tar -tf "$T" | cut -d/ -f1 | sort -u', { T: LAYERS[0] }),
        status: 0,
      });
    }
  });

  it("mounts what umoci would unpack of an OCI image layout", async () => {
    const dir = workDir();
    sh(
      `cd "$W"; umoci init --layout oci; umoci new --image oci:one; umoci new --image oci:two
       while IFS= read -r tar; do umoci raw add-layer --image oci:one "$tar"; done <<<"$TARS"
       umoci unpack --image oci:one bundle`,
      { W: dir, TARS: LAYERS.join("\n") },
    );
    const layout = join(dir, "oci");
    const plain = (entries: readonly Expected[]) =>
      sorted(entries)
        .filter(({ path }) => path !== "/")
        .map(({ ino, size, nlink, mtime, mtime_nsec, ...rest }) =>
          rest.mode.startsWith("004") ? rest : { ...rest, size, nlink, mtime },
        );
    const found = await mounted([layout], join(dir, "cache"), "--ref", "one");
    expect(plain(found)).toEqual(plain(dumpTree(join(dir, "bundle/rootfs"))));
    const { status, stderr } = run(["mount", layout, emptyDir(), "--cache-dir", join(dir, "cache")]);
    const images = sh('umoci ls --layout "$L"', { L: layout })
      .trim()
      .split("\n")
      .map((tag) => `${tag} linux/\\w+ sha256:\\w{12}`);
    expect(images).toHaveLength(2);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(
        new RegExp(
          `^Error: .*oci: 2 images, want one of them by --ref; there are: ${images.join(" \\| ")}\n$`,
        ),
      ),
    });
  });

  it("refuses a layer whose tar is not the one that the image's config names", () => {
    const dir = workDir();
    const put = (bytes: Buffer) => {
      const id = sha256(bytes);
      writeFileSync(join(dir, "oci/blobs/sha256", id), bytes);
      return { digest: `sha256:${id}`, size: bytes.length };
    };
    mkdirSync(join(dir, "oci/blobs/sha256"), { recursive: true });
    writeFileSync(join(dir, "oci/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    const layer = put(readFileSync(LAYERS[0]));
    const other = `sha256:${"0".repeat(64)}`;
    const config = put(Buffer.from(JSON.stringify({ rootfs: { type: "layers", diff_ids: [other] } })));
    const manifest = put(
      Buffer.from(
        JSON.stringify({
          config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
          layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer }],
        }),
      ),
    );
    writeFileSync(
      join(dir, "oci/index.json"),
      JSON.stringify({
        manifests: [{ mediaType: "application/vnd.oci.image.manifest.v1+json", ...manifest }],
      }),
    );
    const cache = join(dir, "cache");
    const { status, stderr } = run(["mount", join(dir, "oci"), emptyDir(), "--cache-dir", cache]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `Error: ${join(dir, "oci/blobs/sha256", layer.digest.slice(7))}: the sha256 of its tar is ${layer.digest.slice(7)}, the image's config wants ${"0".repeat(64)}\n`,
    });
    expect(files(cache)).toEqual({});
  });

  it("indexes a tar again that has changed", async () => {
    const dir = workDir();
    sh('cd "$D"; echo one >f; tar -cf l.tar f', { D: dir });
    const sum = async () =>
      (await mounted([join(dir, "l.tar")], join(dir, "cache"))).find(({ path }) => path === "/f")?.sha256;
    const first = await sum();
    sh('cd "$D"; echo two >f; tar -cf l.tar f', { D: dir });
    expect(await sum()).not.toBe(first);
  });

  it("leaves nothing of a damaged layer", () => {
    const dir = workDir();
    const gz = join(dir, "l.gz");
    writeFileSync(gz, gzipSync(readFileSync(LAYERS[0])));
    truncateSync(gz, statSync(gz).size - 9);
    const { status, stderr } = run(["mount", LAYERS[1], gz, emptyDir(), "--cache-dir", join(dir, "cache")]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^Error: .*l\.gz: not gzip, damaged or cut off/),
    });
    expect(Object.keys(files(join(dir, "cache"))).filter((name) => !/^(layers|files)\//.test(name))).toEqual(
      [],
    );
  });

  it("several at once share a cache", async () => {
    const dir = workDir();
    const script = `for i in 1 2 3 4 5 6; do mkdir "$1/m$i"; "$2" "$3" mount "\${@:4}" "$1/m$i" --cache-dir "$1/cache" >"$1/log$i" 2>&1 & done
      for i in 1 2 3 4 5 6; do for t in $(seq 1000); do grep -q ^ready "$1/log$i" && break; sleep 0.05; done; cat "$1/m$i/dd/again"; umount "$1/m$i"; done; wait; grep -h Error "$1"/log* || true`;
    const { stdout, status } = await shell(script, dir, process.execPath, COMMAND, ...LAYERS);
    expect({ stdout, status }).toEqual({ stdout: "again l3".repeat(6), status: 0 });
  });

  const wrong: [name: string, sources: (dir: string) => string[], want: RegExp, status?: number][] = [
    ["nothing there", () => ["/none.tar"], /^Error: \/none\.tar: no such file\n$/],
    [
      "a directory",
      (dir) => [dir],
      /^Error: (.*): a directory, but no OCI image layout: it has no file oci-layout; tar -C \1 -cf FILE\.tar \. makes a layer of what is in it\n$/,
    ],
    [
      "an image and a layer",
      () => [LAYERS[0], fixture("01-basic").path],
      /image\.boot: an image is mounted alone, not with others\n$/,
      2,
    ],
    [
      "no tar",
      () => [join(MERGED, "expected.json")],
      /^Error: .*expected\.json: a JSON document, no layer; /,
    ],
  ];
  it.each(wrong)("says what is wrong with %s", (_, sources, want, wanted = 1) => {
    const dir = workDir();
    const { status, stderr } = run(["mount", ...sources(dir), emptyDir(), "--cache-dir", join(dir, "cache")]);
    expect({ status, stderr }).toEqual({ status: wanted, stderr: expect.stringMatching(want) });
  });

  it.each([
    ["--ref", "app:1", [fixture("01-basic").path]],
    ["--platform", "linux/arm64", [fixture("01-basic").path]],
    ["--ref", "app:1", LAYERS],
    ["--platform", "linux/arm64", LAYERS],
  ])("refuses %s %s where there is nothing to choose from", (option, value, sources) => {
    const cache = join(workDir(), "cache");
    const { status, stderr } = run(["mount", ...sources, emptyDir(), "--cache-dir", cache, option, value]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `Error: ${option} has no meaning for ${sources.join(", ")}: no OCI layout, no archive of images\n`,
    });
  });
});
