import { readSync } from "node:fs";
import { posix } from "node:path";
import { FormatError } from "../bytes/errors.ts";
import { MAX_DOCUMENT } from "../bytes/limits.ts";
import type { Piece, TarEntry } from "./entry.ts";
import { FileBytes } from "./file-bytes.ts";
import { formOf, type ImageForm, namedByManifest } from "./image-form.ts";
import type { Part } from "./layer-file.ts";
import { TarReader } from "./reader.ts";

/** Where a file of an archive lies in it, in pieces where it is sparse; or the other file that it is. */
export type Member = StoredMember | { readonly link: string };
export type StoredMember = Part & { readonly pieces?: readonly Piece[] };

/** A tar that has images in it, and is no layer. */
export interface ImageArchive {
  readonly form: ImageForm;
  /** "an OCI archive", … */
  readonly what: string;
  readonly members: ReadonlyMap<string, Member>;
}

/** After so many files that no archive of images has, the rest is not looked at. */
const MAX_OTHERS = 4096;
const MAX_LINKS = 8;

/**
 * Files with names that only an archive of images has: by digests, as OCI, Docker, Kaniko, crane, Jib, Bazel and skopeo
 * write them.
 */
const TELLING =
  /^(oci-layout|blobs\/[\w+.-]+\/[0-9a-f]{32,}.*|(sha256:)?[0-9a-f]{64}(\.json|\.manifest\.json|\.tar(\.\w+)?)?|[0-9a-f]{64}\/(json|VERSION|layer\.tar))$/;
/** Documents that other trees may have, too, and directories of the former. */
const USUAL =
  /^(\.|blobs(\/[\w+.-]+)?|[0-9a-f]{64}|index\.json|manifest\.json|repositories|version|signature-\d+)$/;
/** What people and their systems lay beside it. */
const ASIDE =
  /^(\._.*|\.DS_Store|(README|LICEN[CS]E|NOTICE|CHANGELOG|SHA256SUMS)[^/]*|[^/]+\.(md|txt|asc|sig))$/i;

/**
 * Looks whether a tar is an archive of images: its documents say so and it has no other files, or all of its files have
 * the names of such an archive. A layer may have an OCI layout or a manifest.json among its files; then there are others.
 *
 * @param part of the file, plain
 * @param others what becomes of one that has other files, too: "any" is taken, or it is taken for a layer, and this is
 *   told what is among its files
 * @returns undefined when it is none, or no tar at all: taking it for a layer reports that
 */
export function readImageArchive(
  fd: number,
  part: Part,
  name: string,
  others: "any" | ((what: string, form: ImageForm) => void),
): ImageArchive | undefined {
  const found = new ArchiveMembers(part.at);
  const reader = new TarReader(new FileBytes(fd, name, part.at), name);
  try {
    for (let entry = reader.next(part.size, true); entry !== undefined; ) {
      if (entry === "more" || (found.isFull && others !== "any")) return undefined;
      found.add(entry);
      entry = reader.next(part.size, true);
    }
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
  return archiveOf(fd, found, others);
}

/**
 * As `readImageArchive`, of a tar whose entries were read.
 *
 * @param found all of its entries, or enough of them
 */
export function archiveOf(
  fd: number,
  found: ArchiveMembers,
  others: "any" | ((what: string, form: ImageForm) => void),
): ImageArchive | undefined {
  if (found.isFull && others !== "any") return undefined;
  const { members } = found;
  const files = {
    has: (path: string) => storedMember(members, path) !== undefined,
    bytes: (path: string) => memberBytes(fd, storedMember(members, path)),
  };
  const said = formOf(files);
  const hasOthers = found.others(said?.form === "docker" ? namedByManifest(files) : []);
  if (hasOthers && others !== "any") {
    if (said !== undefined) others(said.what, said.form);
    return undefined;
  }
  const isSure = said !== undefined && said.form !== "docker-before-1.10";
  if (!isSure && !found.isTelling) return undefined;
  if (said !== undefined) return { ...said, members };
  return { form: "unclear", what: "an archive of images without its documents", members };
}

/** A file of an archive, wherever links lead: layers that are the same are links in archives of old versions of Docker. */
export function storedMember(members: ReadonlyMap<string, Member>, name: string): StoredMember | undefined {
  let member = members.get(plainName(name));
  for (let hops = 0; member !== undefined && "link" in member; hops++)
    member = hops < MAX_LINKS ? members.get(member.link) : undefined;
  return member;
}

/** Reads a file of an archive. @returns undefined when it is not all there, or too long for a document */
export function memberBytes(fd: number, member: StoredMember | undefined): Buffer | undefined {
  if (member === undefined || member.size > MAX_DOCUMENT) return undefined;
  const bytes = Buffer.alloc(member.size);
  const pieces = member.pieces ?? [{ offset: 0, length: member.size, dataAt: member.at }];
  for (const { offset, length, dataAt } of pieces)
    if (readSync(fd, bytes, offset, length, dataAt) < length) return undefined;
  return bytes;
}

/** What the entries of a tar say of its being an archive of images. */
export class ArchiveMembers {
  readonly members = new Map<string, Member>();
  isTelling = false;
  private readonly at: number;
  private readonly rest: string[] = [];

  /** @param at where in its file the tar begins */
  constructor(at: number) {
    this.at = at;
  }

  add({ path, link, kind, dataAt, size, sparse }: TarEntry): void {
    const { at } = this;
    const name = plainName(text(path));
    const pieces = sparse?.map((piece) => ({ ...piece, dataAt: at + piece.dataAt }));
    const target = () => text(link);
    if (kind === "file") this.members.set(name, { at: at + dataAt, size, ...(pieces && { pieces }) });
    else if (kind === "hardlink") this.members.set(name, { link: plainName(target()) });
    else if (kind === "symlink")
      this.members.set(name, { link: plainName(posix.join(posix.dirname(name), target())) });
    if (TELLING.test(name)) this.isTelling = true;
    else if (!USUAL.test(name) && !ASIDE.test(name)) this.rest.push(name);
  }

  /** It has more other files than an archive of images can have. */
  get isFull(): boolean {
    return this.rest.length > MAX_OTHERS;
  }

  /** @param named files that a document names, whatever they are called */
  others(named: readonly string[]): boolean {
    const known = new Set<string>();
    for (const each of named)
      for (let path = plainName(each); path !== "."; path = posix.dirname(path)) known.add(path);
    return this.rest.some((path) => !known.has(path));
  }
}

const text = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString();

/** No name of it is empty or begins with a dot. */
const PLAIN = /^[^./][^/]*(\/[^./][^/]*)*$/;

/** Without "./", "/" in front and "/" behind. */
const plainName = (name: string): string =>
  PLAIN.test(name) ? name : posix.normalize(`./${name}`).replace(/(.)\/$/, "$1");
