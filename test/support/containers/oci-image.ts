import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { tarOf } from "../../mkfs/emit.ts";

/** How a layer goes over the wire. */
export type Compression = "gzip" | "zstd" | "none";

export interface Layer {
  readonly tar: Uint8Array;
  /** gzip, unless it says otherwise. */
  readonly compression?: Compression;
  /** The layer ends after so many bytes of what was compressed, and its digest is right. */
  readonly cut?: number;
  /** Each of its bytes is another one by 128, and its type says that it is encrypted. */
  readonly isEncrypted?: boolean;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** An image by content: what a registry or a layout holds. */
export interface OciImage {
  /** By digest. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  readonly manifest: Descriptor;
  readonly layers: readonly Descriptor[];
  /** sha256 of each plain tar. */
  readonly diffIds: readonly string[];
}

const TYPE = "application/vnd.oci.image";
const SUFFIX: Readonly<Record<Compression, string>> = { gzip: "+gzip", zstd: "+zstd", none: "" };
/** As Go calls what Node runs on. */
const ARCHITECTURE = process.arch === "x64" ? "amd64" : process.arch;

export const digestOf = (bytes: Uint8Array | string): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** @param diffIds instead of the right ones: an image that lies */
export function ociImage(
  layers: readonly Layer[],
  diffIds = layers.map(({ tar }) => digestOf(tar)),
): OciImage {
  const blobs = new Map<string, Uint8Array>();
  const put = (mediaType: string, bytes: Uint8Array): Descriptor => {
    blobs.set(digestOf(bytes), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const json = (mediaType: string, content: object) => put(mediaType, Buffer.from(JSON.stringify(content)));
  const descriptors = layers.map(({ tar, compression = "gzip", cut, isEncrypted = false }) => {
    const bytes = compress(tar, compression).subarray(0, cut);
    const type = `${TYPE}.layer.v1.tar${SUFFIX[compression]}`;
    return isEncrypted
      ? put(
          `${type}+encrypted`,
          bytes.map((byte) => byte ^ 128),
        )
      : put(type, bytes);
  });
  const config = json(`${TYPE}.config.v1+json`, {
    architecture: ARCHITECTURE,
    os: "linux",
    config: { Env: ["PATH=/bin"], Cmd: ["/bin/sleep", "1000"] },
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const mediaType = `${TYPE}.manifest.v1+json`;
  const manifest = json(mediaType, { schemaVersion: 2, mediaType, config, layers: descriptors });
  return { blobs, manifest, layers: descriptors, diffIds };
}

function compress(tar: Uint8Array, compression: Compression): Uint8Array {
  if (compression === "none") return tar;
  if (compression === "gzip") return gzipSync(tar, { level: 1 });
  return execFileSync("zstd", ["-q", "-c"], { input: tar, maxBuffer: 1 << 30 });
}

/** A tar of an image layout, as `docker save` and `ctr image export` make it; containerd calls it `name`. */
export function archiveOf(image: OciImage, name: string): Uint8Array {
  const annotations = { "io.containerd.image.name": name };
  const index = { schemaVersion: 2, manifests: [{ ...image.manifest, annotations }] };
  const file = (path: string, bytes: Uint8Array | string) => ({
    name: path,
    data: Buffer.from(bytes).toString("latin1"),
  });
  return tarOf([
    file("oci-layout", '{"imageLayoutVersion":"1.0.0"}'),
    file("index.json", JSON.stringify(index)),
    ...[...image.blobs].map(([digest, bytes]) => file(`blobs/${digest.replace(":", "/")}`, bytes)),
  ]);
}
