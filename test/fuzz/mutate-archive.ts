import { createHash } from "node:crypto";
import { bytesOf, END, entry, join, readAll, textOf } from "../tar/emit.ts";
import { mutateTar } from "./mutate-tar.ts";
import { mutateText, parsed } from "./mutate-text.ts";
import type { Random } from "./random.ts";
import { TARS } from "./tars.ts";

export interface Member {
  readonly name: string;
  readonly data: Uint8Array;
  /** Of a link; then there are no data. */
  readonly link?: string;
}

const BLOBS = "blobs/sha256/";
const KEYS = [
  ...["manifests", "mediaType", "digest", "size", "platform", "os", "architecture", "variant", "annotations"],
  ...[
    "config",
    "layers",
    "rootfs",
    "diff_ids",
    "Config",
    "RepoTags",
    "Layers",
    "org.opencontainers.image.ref.name",
  ],
];
const VALUES = [
  ...[
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    `sha256:${"0".repeat(64)}`,
  ],
  ...[
    "linux",
    "amd64",
    "sha256:../../../../../../etc/passwd",
    "../outside",
    "/etc/passwd",
    "layer.tar",
    "index.json",
  ],
];

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const json = (value: unknown): Uint8Array => bytesOf(JSON.stringify(value));
const configOf = (layers: readonly Uint8Array[]): Uint8Array =>
  json({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
  });

/** Names are cut to what a header holds. */
const archiveOf = (members: readonly Member[]): Uint8Array =>
  join(
    ...members.map(({ name, data, link }) => {
      const named = { name: name.slice(0, 100) };
      return link === undefined
        ? entry({ ...named, data })
        : entry({ ...named, type: "2", link: link.slice(0, 100) });
    }),
    END,
  );

function ociMembers(layers: readonly Uint8Array[]): Member[] {
  const members: Member[] = [{ name: "oci-layout", data: json({ imageLayoutVersion: "1.0.0" }) }];
  const put = (mediaType: string, data: Uint8Array) => {
    members.push({ name: BLOBS + sha256(data), data });
    return {
      mediaType: `application/vnd.oci.image.${mediaType}`,
      digest: `sha256:${sha256(data)}`,
      size: data.length,
    };
  };
  const config = put("config.v1+json", configOf(layers));
  const manifest = put(
    "manifest.v1+json",
    json({ config, layers: layers.map((layer) => put("layer.v1.tar", layer)) }),
  );
  const inner = put(
    "index.v1+json",
    json({ manifests: [{ ...manifest, platform: { os: "linux", architecture: "amd64" } }] }),
  );
  members.push({ name: "index.json", data: json({ manifests: [inner] }) });
  return members;
}

function dockerMembers(layers: readonly Uint8Array[]): Member[] {
  const config = configOf(layers);
  const names = layers.map((_, i) => `${i}/layer.tar`);
  return [
    ...layers.map((data, i) => ({ name: names[i], data })),
    { name: `${sha256(config)}.json`, data: config },
    { name: "2/layer.tar", data: new Uint8Array(0), link: "../0/layer.tar" },
    {
      name: "manifest.json",
      data: json([{ Config: `${sha256(config)}.json`, RepoTags: ["a:b"], Layers: names }]),
    },
  ];
}

export const ARCHIVES: readonly Uint8Array[] = [
  archiveOf(ociMembers([TARS[0]])),
  archiveOf(ociMembers([TARS[1], TARS[0]])),
  archiveOf(dockerMembers([TARS[0], TARS[1]])),
];

/** undefined for what is no tar. */
export function membersOf(archive: Uint8Array): Member[] | undefined {
  try {
    return readAll(archive).map(({ path, kind, dataAt, size, link }) => ({
      name: textOf(path),
      data: archive.slice(dataAt, dataAt + size),
      ...(kind === "symlink" || kind === "hardlink" ? { link: textOf(link) } : {}),
    }));
  } catch {
    return undefined;
  }
}

/** An archive with a document that is another one, whose new digest is known to those that lead to it, nearly always. */
export function mutateArchive(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const members = random.once(5) ? undefined : membersOf(input);
  if (members === undefined || members.length === 0) return mutateTar(input, other, random);
  const documents = members.flatMap(({ data }, i) => (parsed(textOf(data)) === undefined ? [] : [i]));
  const i = documents.length === 0 || random.once(8) ? random.below(members.length) : random.pick(documents);
  const data = documents.includes(i)
    ? mutateText(members[i].data, other, random, KEYS, VALUES)
    : mutateTar(members[i].data, other, random);
  const how = random.below(12);
  if (how === 0) members.splice(i, 1);
  else if (how === 1) members.push({ name: random.pick(VALUES), data });
  else if (how === 2) members[i] = { ...members[i], link: random.pick(VALUES) };
  else members[i] = { ...members[i], data };
  return archiveOf(random.once(8) ? members : linked(members));
}

/** Names blobs by their digests, and tells the documents that name them, until all is right. */
function linked(members: readonly Member[]): Member[] {
  const all = [...members];
  for (let turn = 0; turn < all.length; turn++) {
    const i = all.findIndex(({ name, data }) => name.startsWith(BLOBS) && name !== BLOBS + sha256(data));
    if (i < 0) break;
    const [old, now] = [all[i].name.slice(BLOBS.length), sha256(all[i].data)];
    all[i] = { ...all[i], name: BLOBS + now };
    all.forEach((member, k) => {
      const text = textOf(member.data);
      if (k !== i && old.length === 64 && parsed(text) !== undefined)
        all[k] = { ...member, data: bytesOf(text.replaceAll(old, now)) };
    });
  }
  return all;
}
