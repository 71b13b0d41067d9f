import { elementAt } from "../bytes/element-at.ts";
import { createHash } from "node:crypto";
import { closeSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { openBeneath } from "../safe-open/beneath.ts";
import type { LayerFile } from "../tar/layer-file.ts";

/** The files that make up images: in a directory, or in an archive. */
export interface Documents {
  readonly name: string;
  has(name: string): boolean;
  /** Bytes, undefined when it is not there. */
  size(name: string): number | undefined;
  /** @throws OperationalError, or a system error */
  bytes(name: string): Buffer;
  /** Where the bytes of a layer are; it must be there. */
  layer(name: string): LayerFile;
  /** A file's name, for messages. */
  shownName(name: string): string;
}

/**
 * @param dir is not trusted: what it calls a file is none that lies elsewhere
 * @param others directories that links may lead to, all the same
 */
export function directoryDocuments(dir: string, others: readonly string[]): Documents {
  const open = (name: string) => openBeneath(dir, name, others);
  /** @returns undefined when it is not there */
  const look = (name: string) => {
    try {
      const file = open(name);
      closeSync(file.fd);
      return file;
    } catch (error) {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
      throw new OperationalError(`${join(dir, name)}: ${messageOf(error)}`);
    }
  };
  return {
    name: dir,
    has: (name) => look(name) !== undefined,
    size: (name) => look(name)?.stats.size,
    bytes: (name) => {
      const { fd } = open(name);
      try {
        return readFileSync(fd);
      } finally {
        closeSync(fd);
      }
    },
    layer: (name) => {
      const { fd, path } = open(name);
      closeSync(fd);
      return { path, name: join(dir, name), within: dir };
    },
    shownName: (name) => join(dir, name),
  };
}

/** A layer of an image: its file, compressed or not, and the sha256 that its tar must have. */
export interface ImageLayer {
  readonly file: LayerFile;
  readonly diffId: string | undefined;
}

/** Which of several images is meant. */
export interface ImageChoice {
  /** Its name (`org.opencontainers.image.ref.name`, `RepoTags`), or a digest. */
  readonly ref?: string | undefined;
  /** `os/architecture[/variant]`. */
  readonly platform?: string | undefined;
}

export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "want sha256:<64 hex digits>");
/** An image's configuration, as far as it is used here. */
export const imageConfig = z.object({
  os: z.string().optional(),
  architecture: z.string().optional(),
  variant: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(digest) }),
});

/** `os/architecture[/variant]`, as far as it is said. */
export const platformOf = (of: {
  os?: string | undefined;
  architecture?: string | undefined;
  variant?: string | undefined;
}): string => [of.os, of.architecture, of.variant].filter(Boolean).join("/");

/** Whether a platform is the wanted one, or a variant of it. */
export const isPlatform = (own: string, wanted: string): boolean =>
  own === wanted || own.startsWith(`${wanted}/`);

/** Documents are small; a larger one is no such document. */
const MAX_DOCUMENT = 8 << 20;

/**
 * Reads a JSON document.
 *
 * @param wanted digest that it must have
 * @throws OperationalError naming the document and what is wrong with it
 */
export function readDocument<T>(docs: Documents, name: string, schema: z.ZodType<T>, wanted?: string): T {
  const said = docs.shownName(name);
  let bytes: Buffer;
  try {
    if ((docs.size(name) ?? 0) > MAX_DOCUMENT) throw new Error("too large for a document");
    bytes = docs.bytes(name);
  } catch (error) {
    throw error instanceof OperationalError ? error : new OperationalError(`${said}: ${messageOf(error)}`);
  }
  const found = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (wanted !== undefined && found !== wanted)
    throw new OperationalError(`${said}: its digest is ${found}, want ${wanted}`);
  let parsed: z.ZodSafeParseResult<T>;
  try {
    parsed = schema.safeParse(JSON.parse(bytes.toString("utf8")));
  } catch {
    throw new OperationalError(`${said}: not JSON`);
  }
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new OperationalError(`${said}: ${issue?.path.join(".") || "document"}: ${issue?.message}`);
}

/**
 * Layers with the diffIDs that an image's configuration gives them, the lowest first.
 *
 * @param names of the layers' files
 * @param sizes of those, where the image says them
 * @throws OperationalError when they do not fit together, or a file is not there
 */
export function imageLayers(
  docs: Documents,
  config: string,
  diffIds: readonly string[],
  names: readonly string[],
  sizes: readonly (number | undefined)[],
): ImageLayer[] {
  if (diffIds.length !== names.length)
    throw new OperationalError(
      `${docs.name}: ${names.length} layers, but ${diffIds.length} diff_ids in ${config}`,
    );
  return diffIds.map((diffId, i) => {
    const name = elementAt(names, i);
    const size = docs.size(name);
    if (size === undefined || size !== (sizes[i] ?? size))
      throw new OperationalError(
        `${docs.shownName(name)}: ${size === undefined ? "not there" : `${size} bytes, want ${sizes[i]} bytes`}`,
      );
    return { file: docs.layer(name), diffId: diffId.slice("sha256:".length) };
  });
}
