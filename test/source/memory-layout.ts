import { posix } from "node:path";
import { OperationalError } from "../../src/bytes/errors.ts";
import { chooseImage } from "../../src/source/choose-image.ts";
import type { Documents } from "../../src/source/documents.ts";
import { imagesIn } from "../../src/source/image-list.ts";
import { parsePlatform } from "../../src/source/platform.ts";
import { sha256 } from "./images.ts";

export interface Descriptor {
  readonly mediaType?: string | undefined;
  readonly digest: string;
  readonly size: number;
  readonly [more: string]: unknown;
}

export const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const INDEX = "application/vnd.oci.image.index.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar";

/** A descriptor for a platform `os/architecture[/variant]`. */
export function on(platform: string, descriptor: Descriptor): Descriptor {
  const [os, architecture, variant] = platform.split("/");
  return { ...descriptor, platform: { os, architecture, ...(variant && { variant }) } };
}

export const named = (annotations: object, descriptor: Descriptor): Descriptor => ({
  ...descriptor,
  annotations,
});
export const REF = (name: string) => ({ "org.opencontainers.image.ref.name": name });
/** As containerd and docker say it. */
export const NAME = (name: string) => ({
  "io.containerd.image.name": name,
  ...REF(name.replace(/^.*:/, "")),
});

/** Files of a layout or an archive, nowhere but in memory. A layer's bytes are its name. */
export class MemoryLayout implements Documents {
  readonly name = "L";
  readonly files = new Map<string, Buffer>();

  has(name: string): boolean {
    return this.files.has(posix.normalize(name));
  }
  size(name: string): number | undefined {
    return this.files.get(posix.normalize(name))?.length;
  }
  bytes(name: string): Buffer {
    const bytes = this.files.get(posix.normalize(name));
    if (bytes === undefined) throw new OperationalError(`${name}: not there`);
    return bytes;
  }
  layer(name: string): { path: string; name: string } {
    return { path: this.bytes(name).toString(), name };
  }
  shownName(name: string): string {
    return name;
  }

  put(name: string, content: string | object | null): void {
    this.files.set(name, Buffer.from(typeof content === "string" ? content : JSON.stringify(content)));
  }
  blob(mediaType: string, content: string | object): Descriptor {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    const id = sha256(text);
    this.put(`blobs/sha256/${id}`, text);
    return { mediaType, digest: `sha256:${id}`, size: text.length };
  }
  config(layers: readonly string[], more: object = {}): Descriptor {
    const rootfs = { type: "layers", diff_ids: layers.map((name) => `sha256:${sha256(name)}`) };
    return this.blob(CONFIG, { architecture: "amd64", os: "linux", ...more, rootfs });
  }
  image(layers: readonly string[], more: object = {}, config: object = {}): Descriptor {
    const blobs = layers.map((name) => this.blob(LAYER, name));
    return this.blob(MANIFEST, {
      schemaVersion: 2,
      config: this.config(layers, config),
      layers: blobs,
      ...more,
    });
  }
  list(manifests: readonly Descriptor[]): Descriptor {
    return this.blob(INDEX, { schemaVersion: 2, manifests });
  }
  index(...manifests: readonly Descriptor[]): this {
    this.put("index.json", { schemaVersion: 2, manifests });
    return this;
  }
  /** An element of what `docker save` calls manifest.json; its layers are files. */
  docker(layers: readonly string[], tags: readonly string[] | null, more: object = {}): object {
    const digest = this.config(layers, more).digest;
    for (const name of layers) this.put(`${name}.tar`, name);
    return {
      Config: `blobs/${digest.replace(":", "/")}`,
      RepoTags: tags,
      Layers: layers.map((name) => `${name}.tar`),
    };
  }
}

/** The layers of the image that is chosen, and what is warned of; or what is said against it. */
export function chosen(docs: Documents, ref?: string, platform?: string): string {
  const warnings: string[] = [];
  try {
    const choice = { ref, platform: platform === undefined ? undefined : parsePlatform(platform) };
    const layers = chooseImage(docs.name, imagesIn(docs), choice, (message) => warnings.push(message));
    return [layers.map(({ file }) => file.path).join(" ") || "none", ...warnings].join("; warning: ");
  } catch (error) {
    if (error instanceof OperationalError) return error.message;
    throw error;
  }
}

/** Images that are called as a tool does; the layer of each is its name. */
export function namedLayout(annotations: (name: string) => object, ...names: string[]): MemoryLayout {
  const docs = new MemoryLayout();
  return docs.index(...names.map((name) => named(annotations(name), docs.image([name]))));
}
