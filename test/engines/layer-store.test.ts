import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readMounts } from "../../src/mounts/table.ts";
import { type Made, tarOf } from "../mkfs/emit.ts";
import { base, changes, threeLayers } from "../support/containers/images.ts";
import { type OciImage, ociImage } from "../support/containers/oci-image.ts";
import { libpodIn, NO_OTHERS, withEngines } from "../support/containers/other-engines.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { SNAPSHOTTER } from "../support/containers/snapshotter.ts";
import { ask, run, type Finished, sh, shell, workDir } from "../support/daemon.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { dumpTree, sorted } from "../support/tree.ts";

const NAME = `nydusd-ts-layers-${process.pid}`;
/** Everything of the image that was changed, as a container has it. */
const LOOK = `for f in $(/bin/busybox find /opt | /bin/busybox sort); do /bin/busybox stat -c "%n %F %a %u:%g %Y" $f; done; cat /opt/kept/a /opt/gone/back`;

/** Names that two layers have, and what one says of the other's: each in a layer that is whole in itself. */
const dir = (name: string, more: Partial<Made> = {}): Made => ({ name: `${name}/`, type: "5", ...more });
const TRICKY: readonly Made[] = [
  ...[dir("opt"), dir("opt/kept", { pax: { "SCHILY.xattr.user.d": "v" } })],
  { name: "opt/kept/.wh..wh..opq" },
  { name: "opt/kept/new", data: "n" },
  { name: "opt/.wh.opaque" },
  ...[dir("opt/opaque", { mode: 0o700 }), { name: "opt/opaque/mine", data: "m" }],
  { name: "opt/.wh.nothing" },
  { name: "opt/.wh.symlink" },
  { name: "opt/symlink", data: "a file now" },
];

interface Store {
  readonly dir: string;
  readonly layers: string;
  /** What is pulled. */
  readonly name: string;
  readonly requests: readonly string[];
  readonly als: (...words: string[]) => Promise<Finished>;
  readonly layout: string;
}

/** An image in a registry, and in a layout by skopeo. */
async function storeOf(image: OciImage, driver = "auto"): Promise<Store> {
  const [work, registry] = [workDir(), await startRegistry()];
  const [layers, layout] = [join(work, "layers"), join(work, "layout")];
  const name = registry.add("test/image", image);
  const copied = await shell(
    'exec skopeo copy -q --preserve-digests --insecure-policy --src-tls-verify=false "docker://$1" "oci:$2:app"',
    ...[name, layout],
  );
  if (copied.status !== 0) throw new Error(copied.stderr);
  registry.requests.splice(0);
  const before = ["--root", join(work, "root"), "--driver", driver, "als"];
  const als = (...words: string[]) => shell('exec "$@"', process.execPath, SNAPSHOTTER, ...before, ...words);
  return { dir: work, layers, layout, name, requests: registry.requests, als };
}

const said = ({ layers }: Store, ...[added, kept, removed, leftOut]: number[]): Finished => ({
  status: 0,
  stdout: `${layers}: ${added} layers added, ${kept} were there, ${removed} removed, ${leftOut} left out\n`,
  stderr: "",
});

const podmanAsk = async (podman: readonly string[], ...words: string[]): Promise<string> => {
  const { status, stdout, stderr } = await withEngines('"$@"', ...podman, ...words);
  if (status !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
  return stdout;
};
const RUN = ["run", "--rm", "--network", "none"];

describe.each([...KERNEL_DRIVERS.slice(0, 1), "fuse"])("layers that %s shows", (driver) => {
  needs(NO_OTHERS);

  it("need not be pulled by podman and buildah, who see what they would have unpacked", async () => {
    const image = threeLayers();
    const store = await storeOf(image, driver);
    expect(await store.als(store.layers, store.layout)).toEqual(said(store, 3, 0, 0, 0));
    const seen = [];
    for (const [i, layers] of [undefined, store.layers].entries()) {
      const place = join(store.dir, `podman-${i}`);
      sh('mkdir "$P"', { P: place });
      const { podman } = libpodIn(place, NAME, layers);
      await podmanAsk(
        podman,
        "pull",
        "-q",
        "--tls-verify=false",
        "--signature-policy",
        join(place, "policy.json"),
        store.name,
      );
      seen.push(await podmanAsk(podman, ...RUN, store.name, "/bin/sh", "-euc", LOOK));
    }
    expect(seen[1]).toBe(seen[0]);
    expect(seen[1]).toMatch(/second\nagain\n$/);
    // The first pull fetched each layer, the second one none.
    const fetched = (digest: string) =>
      store.requests.filter((each) => each === `GET /v2/test/image/blobs/${digest}`).length;
    expect(image.layers.map(({ digest }) => fetched(digest))).toEqual([1, 1, 1]);
  });
});

describe("an additional layer store", () => {
  needs(NO_OTHERS);

  it("is what buildah builds on", async () => {
    const store = await storeOf(threeLayers());
    await store.als(store.layers, store.layout);
    const { buildah, podman } = libpodIn(store.dir, NAME, store.layers);
    const policy = ["--signature-policy", join(store.dir, "policy.json")];
    const script = `c=$("$@" from --tls-verify=false ${policy.join(" ")} ${store.name}); m=$("$@" mount "$c")
      cat "$m/opt/gone/back"; rm "$m/opt/gone/back"; echo built >"$m/opt/built"; "$@" umount "$c" >/dev/null; "$@" commit -q ${policy.join(" ")} "$c" built >/dev/null`;
    const { status, stdout, stderr } = await withEngines(script, ...buildah);
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: "again\n" });
    expect(
      await podmanAsk(podman, ...RUN, "localhost/built", "/bin/sh", "-euc", "ls /opt/gone; cat /opt/built"),
    ).toBe("built\n");
  });

  it("is made of lower directories as overlayfs has them", async () => {
    const image = ociImage([{ tar: base() }, { tar: changes() }, { tar: tarOf(TRICKY) }]);
    const store = await storeOf(image);
    await store.als(store.layers, store.layout);
    const [ours, right] = [join(store.dir, "ours"), join(store.dir, "right")];
    const lower = image.layers
      .map(({ digest }) => join(store.layers, digest.replace(":", "\\:"), "diff"))
      .reverse();
    sh('mkdir "$A" "$B"; mount -t overlay -o "ro,lowerdir=$L" overlay "$A"', {
      A: ours,
      B: right,
      L: lower.join(":"),
    });
    expect(run(["mount", "--cache-dir", join(store.dir, "cache"), store.layout, right]).status).toBe(0);
    const shown = (at: string) =>
      // The root has the attributes of the highest layer, which names none.
      sorted(dumpTree(at))
        .filter(({ path }) => path !== "/")
        .map(({ ino, nlink, size, ...entry }) => ({
          ...entry,
          size: entry.mode.startsWith("004") ? 0 : size,
        }));
    expect(shown(ours)).toEqual(shown(right));
  });

  it("is filled again, and gives back what no layout has any more", async () => {
    const store = await storeOf(threeLayers());
    expect(await store.als(store.layers, store.layout)).toEqual(said(store, 3, 0, 0, 0));
    expect(await store.als(store.layers, store.layout)).toEqual(said(store, 0, 3, 0, 0));
    const [first = ""] = readdirSync(store.layers);
    await ask('umount "$1"', join(store.layers, first, "diff"));
    expect(await store.als("--prune", store.layers, store.layout)).toEqual(said(store, 1, 2, 0, 0));
    const other = await storeOf(ociImage([{ tar: changes(), compression: "zstd" }]));
    expect(await store.als("--prune", store.layers, other.layout)).toEqual(said(store, 0, 1, 2, 0));
    expect(readMounts().filter(({ mountpoint }) => mountpoint.startsWith(store.layers))).toHaveLength(1);
    expect(readdirSync(join(store.dir, "root/als/boots"))).toHaveLength(1);
    expect(readdirSync(join(store.dir, "root/als/store/blobs"))).toHaveLength(1);
  });

  it("offers nothing that is damaged, and no directory that is no layout", async () => {
    const store = await storeOf(ociImage([{ tar: base() }]));
    const [blob] = sh('find "$L/blobs" -type f -size +100k', { L: store.layout }).trim().split("\n");
    const bytes = readFileSync(blob ?? "");
    bytes.fill(0, bytes.length - 1000);
    sh('chmod u+w "$B"', { B: blob ?? "" });
    writeFileSync(blob ?? "", bytes);
    const { status, stdout, stderr } = await store.als(store.layers, store.layout);
    expect({ status, stdout }).toEqual({ status: 0, stdout: said(store, 0, 0, 0, 1).stdout });
    expect(stderr).toMatch(/^warning: sha256:[0-9a-f]{64}: not offered: /);
    expect(readdirSync(store.layers)).toEqual([]);
    const lies = await storeOf(ociImage([{ tar: base() }], [`sha256:${"0".repeat(64)}`]));
    const lied = await lies.als(lies.layers, lies.layout);
    expect(lied.stderr).toMatch(/^Error: .*: its tar is sha256:[0-9a-f]{64}, its image says sha256:0{64}\n$/);
    expect(readdirSync(lies.layers)).toEqual([]);
    expect(await store.als(store.layers, store.dir)).toEqual({
      ...{ status: 1, stdout: "" },
      stderr: `Error: ${store.dir}: no OCI image layout: skopeo copy --preserve-digests docker://IMAGE oci:${store.dir}:NAME makes one\n`,
    });
  });

  it("leaves layers to others that cannot be mounted", async () => {
    const sparse = tarOf([{ name: "hole", type: "S", data: "x" }]);
    const store = await storeOf(ociImage([{ tar: base() }, { tar: sparse }]));
    const { status, stdout, stderr } = await store.als(store.layers, store.layout);
    expect({ status, stdout }).toEqual({ status: 0, stdout: said(store, 1, 0, 0, 1).stdout });
    expect(stderr).toMatch(/^warning: sha256:[0-9a-f]{64}: not offered: /);
  });
});
