import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { sh } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

const MERGED = dirname(fixture("12-merged").path);
/** Plain tars of three layers, the lowest first; what they make together is the fixture's tree. */
export const LAYERS = [1, 2, 3].map((n) => join(MERGED, `l${n}.tar`));

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash("sha256").update(bytes).digest("hex");
const idOf = (path: string) => sha256(readFileSync(path));
const put = (path: string, bytes: string): string => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
};

/** An image's configuration, with nothing in it that does not count. */
export const configOf = (layers: readonly string[], more: object = {}): string =>
  JSON.stringify({
    architecture: "amd64",
    os: "linux",
    ...more,
    rootfs: { type: "layers", diff_ids: layers.map((path) => `sha256:${idOf(path)}`) },
  });

/** A file of OCI blobs, named by what is in it; its descriptor. */
export function putBlob(dir: string, mediaType: string, bytes: string | Buffer): object {
  const id = sha256(bytes);
  const path = join(dir, "blobs/sha256", id);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return { mediaType, digest: `sha256:${id}`, size: Buffer.byteLength(bytes) };
}

/** Files of an OCI image layout with layers as they are, as `docker save` writes them today. */
export function ociDir(dir: string, layers: readonly string[], ref: string): string {
  const config = putBlob(dir, "application/vnd.oci.image.config.v1+json", configOf(layers, { ref }));
  const tars = layers.map((path) =>
    putBlob(dir, "application/vnd.oci.image.layer.v1.tar", readFileSync(path)),
  );
  const manifest = JSON.stringify({ schemaVersion: 2, config, layers: tars });
  const one = putBlob(dir, "application/vnd.oci.image.manifest.v1+json", manifest);
  put(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const annotations = {
    "io.containerd.image.name": `docker.io/library/${ref}`,
    "org.opencontainers.image.ref.name": ref.split(":")[1],
  };
  put(
    join(dir, "index.json"),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ ...one, annotations, platform: { os: "linux", architecture: "amd64" } }],
    }),
  );
  put(join(dir, "manifest.json"), "[]");
  return dir;
}

/** Files as `docker save` wrote them before: a directory a layer, and links for layers that are the same. */
export function dockerDir(dir: string, layers: readonly string[], ref: string): string {
  const config = configOf(layers, { ref });
  put(join(dir, `${sha256(config)}.json`), config);
  const seen = new Map<string, string>();
  const names = layers.map((path, i) => {
    const id = sha256(`${i}`);
    put(join(dir, id, "VERSION"), "1.0");
    put(join(dir, id, "json"), JSON.stringify({ id }));
    const first = seen.get(path);
    if (first !== undefined) symlinkSync(`../${first}/layer.tar`, join(dir, id, "layer.tar"));
    else copyFileSync(path, join(dir, id, "layer.tar"));
    seen.set(path, first ?? id);
    return `${id}/layer.tar`;
  });
  put(
    join(dir, "manifest.json"),
    JSON.stringify([{ Config: `${sha256(config)}.json`, RepoTags: [ref], Layers: names }]),
  );
  put(join(dir, "repositories"), "{}");
  return dir;
}

/** A tar of all that is in a directory. @returns its path */
export function pack(dir: string): string {
  sh('cd "$D"; tar -cf "$D.tar" *', { D: dir });
  return `${dir}.tar`;
}
