import { createHash } from "node:crypto";
import { parseJson } from "../bytes/bounded-json.ts";
import type { Documents } from "./documents.ts";

const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const BLOB = /^blobs\/sha256\/([0-9a-f]{64})$/;

/**
 * Skopeo's `dir:` as an OCI image layout: its manifest.json is the manifest, or an index whose manifests are beside it;
 * blobs are named by their digests alone.
 *
 * @see https://github.com/containers/container-libs/blob/main/image/docs/containers-transports.5.md (dir)
 */
export function asLayout(docs: Documents): Documents {
  const top = docs.bytes("manifest.json");
  const topId = createHash("sha256").update(top).digest("hex");
  const index = Buffer.from(
    JSON.stringify({
      manifests: [{ mediaType: mediaTypeOf(top), digest: `sha256:${topId}`, size: top.length }],
    }),
  );
  const place = (name: string): string => {
    const id = BLOB.exec(name)?.[1];
    if (id === undefined) return name;
    if (id === topId) return "manifest.json";
    return docs.has(`${id}.manifest.json`) ? `${id}.manifest.json` : id;
  };
  const isIndex = (name: string) => name === "index.json";
  return {
    name: docs.name,
    // Its own manifest.json is none of docker's.
    has: (name) => isIndex(name) || (name !== "manifest.json" && docs.has(place(name))),
    size: (name) => (isIndex(name) ? index.length : docs.size(place(name))),
    bytes: (name) => (isIndex(name) ? index : docs.bytes(place(name))),
    layer: (name) => docs.layer(place(name)),
    shownName: (name) => docs.shownName(isIndex(name) ? "manifest.json" : place(name)),
  };
}

function mediaTypeOf(bytes: Buffer): string {
  try {
    const { mediaType, manifests } = parseJson(bytes) as Record<string, unknown>;
    if (typeof mediaType === "string") return mediaType;
    return Array.isArray(manifests) ? "application/vnd.oci.image.index.v1+json" : OCI_MANIFEST;
  } catch {
    return OCI_MANIFEST;
  }
}

/** The documents of one form alone, where there are those of another beside them. */
export function without(docs: Documents, hidden: string): Documents {
  const { name } = docs;
  return {
    name,
    has: (each) => each !== hidden && docs.has(each),
    size: (each) => (each === hidden ? undefined : docs.size(each)),
    bytes: (each) => docs.bytes(each),
    layer: (each) => docs.layer(each),
    shownName: (each) => docs.shownName(each),
  };
}
