import type { MarkerVersion, Version } from "../layers/layered-image.ts";
import { deviceOf, isDevice, typeWord } from "./attr.ts";
import { type Explained, layersNamed, type NamedLayer } from "./explain.ts";
import { nameField } from "./name-field.ts";

/** For programs: everything that layers say of a path, the upper layer first. */
export function explainRecord(explained: Explained): object {
  const { path, versions, markers, layers } = explained;
  const seen = versions.find(({ fate }) => fate === "seen");
  return {
    ...nameField("path", path),
    seen: seen === undefined ? null : layers === undefined ? {} : { layer: seen.layer },
    versions: versions.map(versionRecord),
    markers: markers.map(markerRecord),
    ...(layers === undefined ? {} : { layers: layersNamed([explained]).map(layerRecord) }),
  };
}

/** A version, and what became of it. */
export function versionRecord(version: Version): object {
  const { fate, by } = version;
  return {
    ...attributesRecord(version),
    fate,
    ...(by === undefined ? {} : { by: { layer: by.layer, ...nameField("path", by.path) } }),
  };
}

/** What a version is, whatever became of it. */
export function attributesRecord(version: Omit<Version, "fate" | "by">): object {
  const { layer, mode, uid, gid, size, mtime, mtimeNsec, target, pieces, isImplicit } = version;
  const [first] = pieces;
  return {
    ...(layer === 0 ? {} : { layer }),
    what: typeWord(version),
    mode: mode.toString(8).padStart(7, "0"),
    ...{ uid, gid, size, mtime, mtime_nsec: mtimeNsec },
    ...(isImplicit ? { implicit: true } : {}),
    ...(isDevice(version) ? { rdev: deviceOf(version) } : {}),
    ...(target === undefined ? {} : nameField("target", target)),
    ...(first === undefined ? {} : { blob_id: first.blobId, offset: first.dataAt, pieces: pieces.length }),
  };
}

export const markerRecord = ({ layer, kind, path, mtime, mtimeNsec, hides }: MarkerVersion): object => ({
  ...{ layer, what: kind, ...nameField("path", path), mtime, mtime_nsec: mtimeNsec, hides },
});

const layerRecord = ({ number, layer: { id, tar, made } }: NamedLayer): object => ({
  ...{ layer: number, diff_id: `sha256:${id}`, tar: tar.path, tar_at: tar.at },
  ...(made?.by === undefined ? {} : { created_by: made.by }),
  ...(made?.at === undefined ? {} : { created: made.at }),
});
