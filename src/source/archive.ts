import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { posix } from "node:path";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import { FileBytes } from "../tar/file-bytes.ts";
import type { LayerFile, Part } from "../tar/layer-file.ts";
import { TarReader } from "../tar/reader.ts";
import type { Documents } from "./documents.ts";

/** A tar with more entries is no archive of an image, which has a handful for each layer. */
const MAX_MEMBERS = 4096;
const MAX_LINKS = 8;

/** What files of archives of images are called, as Docker, containers/image, Kaniko and crane write them. */
const MEMBER =
  /^(\.\/)?(blobs(\/.*)?|oci-layout|index\.json|manifest\.json|repositories|(sha256:)?[0-9a-f]{64}(\.json|\.tar(\.gz)?|\/.*)?)$/;

type Member = Part | { readonly link: string };

/** The files of an archive of an image, by name: where they lie in it. */
export class Archive implements Documents {
  readonly name: string;
  private readonly path: string;
  private readonly members: ReadonlyMap<string, Member>;

  private constructor(path: string, name: string, members: ReadonlyMap<string, Member>) {
    this.path = path;
    this.name = name;
    this.members = members;
  }

  /**
   * @param path a plain tar
   * @param name of it, for messages
   * @returns undefined when it is no archive of an image, or no tar at all: taking it for a layer reports that
   */
  static open(path: string, name = path): Archive | undefined {
    const fd = openSync(path, "r");
    try {
      const members = readMembers(fd, name);
      const archive = members && new Archive(path, name, members);
      return archive?.isOfImages() ? archive : undefined;
    } catch (error) {
      if (error instanceof FormatError) return undefined;
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /**
   * The files of a layer may be called like those of an archive (a web site has an index.json and a manifest.json):
   * then there are others beside them, or they say something else.
   */
  private isOfImages(): boolean {
    if (!this.has("manifest.json") && !this.has("index.json")) return false;
    if ([...this.members.keys()].every((name) => MEMBER.test(name))) return true;
    return (this.has("index.json") && this.has("oci-layout")) || this.hasManifest();
  }

  private hasManifest(): boolean {
    try {
      const [first] = JSON.parse(this.bytes("manifest.json").toString());
      return typeof first.Config === "string" && Array.isArray(first.Layers);
    } catch {
      return false;
    }
  }

  has(name: string): boolean {
    return this.find(name) !== undefined;
  }

  size(name: string): number | undefined {
    return this.find(name)?.size;
  }

  bytes(name: string): Buffer {
    const part = this.find(name);
    if (part === undefined) throw new OperationalError(`${this.shownName(name)}: not there`);
    const bytes = Buffer.alloc(part.size);
    const fd = openSync(this.path, "r");
    try {
      if (readSync(fd, bytes, 0, part.size, part.at) < part.size)
        throw new OperationalError(`${this.name}: became shorter while it was read`);
    } finally {
      closeSync(fd);
    }
    return bytes;
  }

  layer(name: string): LayerFile {
    return { path: this.path, name: this.shownName(name), part: this.find(name) };
  }

  shownName(name: string): string {
    return `${this.name}: ${name}`;
  }

  /** Layers that are the same are links to one of them, in archives of old versions of Docker. */
  private find(name: string): Part | undefined {
    let member = this.members.get(posix.normalize(name));
    for (let hops = 0; member !== undefined && "link" in member; hops++)
      member = hops < MAX_LINKS ? this.members.get(member.link) : undefined;
    return member;
  }
}

function readMembers(fd: number, name: string): Map<string, Member> | undefined {
  const { size } = fstatSync(fd);
  const reader = new TarReader(new FileBytes(fd, name), name);
  const members = new Map<string, Member>();
  for (let entry = reader.next(size, true); entry !== undefined; entry = reader.next(size, true)) {
    if (entry === "more" || members.size === MAX_MEMBERS) return undefined;
    const path = posix.normalize(Buffer.from(entry.path).toString());
    const link = Buffer.from(entry.link).toString();
    if (entry.kind === "file" && entry.sparse === undefined)
      members.set(path, { at: entry.dataAt, size: entry.size });
    else if (entry.kind === "hardlink") members.set(path, { link: posix.normalize(link) });
    else if (entry.kind === "symlink") members.set(path, { link: posix.join(posix.dirname(path), link) });
  }
  return members;
}

/** Whether the first entry of a tar, of which only the beginning is there, looks like one of an archive of an image. */
export function beginsArchive(head: Uint8Array, name: string): boolean {
  try {
    const view = (at: number, length: number) => head.subarray(at, at + length);
    const entry = new TarReader({ view }, name).next(head.length, false);
    return typeof entry === "object" && MEMBER.test(Buffer.from(entry.path).toString());
  } catch {
    return false;
  }
}
