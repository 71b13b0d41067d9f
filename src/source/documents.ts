import { createHash } from "node:crypto";
import { closeSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { parseJson } from "../bytes/bounded-json.ts";
import { elementAt } from "../bytes/element-at.ts";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { MAX_DOCUMENT } from "../bytes/limits.ts";
import { openBeneath } from "../safe-open/beneath.ts";
import { readBounded } from "../safe-open/read-bounded.ts";
import { bytesOf } from "../mkfs/create-from.ts";
import type { LayerFile } from "../tar/layer-file.ts";
import type { ImageConfig } from "./image-documents.ts";
import { NOT_THERE } from "./not-whole.ts";
import type { Opened } from "./opened.ts";

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

/** They say what lies there, then which images: both by the same bytes. What else is read has a digest. */
const READ_TWICE = new Set(["index.json", "manifest.json", "repositories", "version"]);

/**
 * @param dir is not trusted: what it calls a file is none that lies elsewhere
 * @param others directories that links may lead to, all the same
 * @param opened keeps layers
 */
export function directoryDocuments(dir: string, others: readonly string[], opened: Opened): Documents {
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
  const readWhole = (name: string): Buffer => {
    const { fd } = open(name);
    try {
      // What was looked at before may have been another file.
      const bytes = readBounded(fd, MAX_DOCUMENT);
      if (bytes === undefined) throw new OperationalError(`${join(dir, name)}: too large for a document`);
      return bytes;
    } finally {
      closeSync(fd);
    }
  };
  const read = new Map<string, Buffer>();
  return {
    name: dir,
    has: (name) => look(name) !== undefined,
    size: (name) => look(name)?.stats.size,
    bytes: (name) => {
      const bytes = read.get(name) ?? readWhole(name);
      if (READ_TWICE.has(name)) read.set(name, bytes);
      return bytes;
    },
    layer: (name) => {
      const { fd, path } = open(name);
      return opened.keep(fd, path, join(dir, name));
    },
    shownName: (name) => join(dir, name),
  };
}

/** A layer of an image: its file, compressed or not, and the sha256 that its tar must have. */
export interface ImageLayer {
  readonly file: LayerFile;
  readonly diffId: string | undefined;
  /** The step of a build that made it, where the image says so. */
  readonly made?: LayerStep | undefined;
}

/** What an image says of the making of a layer: words of its author. */
export interface LayerStep {
  readonly by: string | undefined;
  readonly at: string | undefined;
}

/**
 * Reads a JSON document.
 *
 * @param wanted digest that it must have
 * @throws OperationalError naming the document and what is wrong with it
 */
export function readDocument<T>(docs: Documents, name: string, schema: z.ZodType<T>, wanted?: string): T {
  return parseDocument(docs.shownName(name), documentBytes(docs, name, wanted), schema);
}

/** @param wanted digest that it must have */
export function documentBytes(docs: Documents, name: string, wanted?: string): Buffer {
  const said = docs.shownName(name);
  let bytes: Buffer;
  try {
    if ((docs.size(name) ?? 0) > MAX_DOCUMENT) throw new Error("too large for a document");
    bytes = docs.bytes(name);
  } catch (error) {
    if (error instanceof OperationalError) throw error;
    throw new OperationalError(`${said}: ${codeOf(error) === "ENOENT" ? NOT_THERE : messageOf(error)}`);
  }
  const found = wanted === undefined ? undefined : digestOf(bytes, wanted.split(":")[0]);
  if (found !== wanted) throw new OperationalError(`${said}: its digest is ${found}, want ${wanted}`);
  return bytes;
}

export const digestOf = (bytes: Uint8Array, algorithm = "sha256"): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;

/** @param said name of the document */
export function parseDocument<T>(said: string, bytes: Buffer, schema: z.ZodType<T>): T {
  let parsed: z.ZodSafeParseResult<T>;
  try {
    parsed = schema.safeParse(parseJson(bytes));
  } catch (error) {
    throw new OperationalError(`${said}: ${error instanceof SyntaxError ? "not JSON" : messageOf(error)}`);
  }
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new OperationalError(`${said}: ${issue?.path.join(".") || "document"}: ${issue?.message}`);
}

/**
 * Layers with the diffIDs that an image's configuration gives them, the lowest first.
 *
 * @param said what the configuration says of them
 * @param names of the layers' files
 * @param sizes of those, where the image says them
 * @throws OperationalError when they do not fit together, or a file is not there
 */
export function imageLayers(
  docs: Documents,
  config: string,
  said: Pick<ImageConfig, "rootfs" | "history">,
  names: readonly string[],
  sizes: readonly (number | undefined)[],
): ImageLayer[] {
  const diffIds = said.rootfs.diff_ids;
  const steps = said.history.filter(({ empty_layer: isEmpty }) => isEmpty !== true);
  if (diffIds.length !== names.length)
    throw new OperationalError(
      `${docs.name}: ${names.length} layers, but ${diffIds.length} diff_ids in ${config}`,
    );
  return diffIds.map((diffId, i) => {
    const name = elementAt(names, i);
    const size = docs.size(name);
    if (size === undefined || size !== (sizes[i] ?? size))
      throw new OperationalError(
        `${docs.shownName(name)}: ${size === undefined ? NOT_THERE : `${size} bytes, want ${sizes[i]} bytes`}`,
      );
    // Others leave steps out: which layer is whose is not known then.
    const step = steps.length === diffIds.length ? steps[i] : undefined;
    const made = step && { by: step.created_by ?? undefined, at: step.created ?? undefined };
    return lazyLayer(docs, name, size, diffId.slice("sha256:".length), made);
  });
}

/** It is opened when it is asked for: of all images that there are, one is chosen. */
function lazyLayer(
  docs: Documents,
  name: string,
  size: number,
  diffId: string,
  made: LayerStep | undefined,
): ImageLayer {
  let file: LayerFile | undefined;
  return {
    get file() {
      file ??= docs.layer(name);
      if (file.fd !== undefined && bytesOf(file) !== size)
        throw new OperationalError(`${docs.shownName(name)}: ${bytesOf(file)} bytes, want ${size} bytes`);
      return file;
    },
    ...{ diffId, made },
  };
}
