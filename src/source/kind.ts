import { readdirSync, statSync } from "node:fs";
import { mustBeBounded } from "../bytes/bounded-json.ts";
import { elementAt } from "../bytes/element-at.ts";
import { messageOf, OperationalError, UsageError } from "../bytes/errors.ts";
import type { FileKind } from "../bytes/magic.ts";
import { formOf, type ImageForm } from "../tar/image-form.ts";
import { type LayerFile, wholeFile } from "../tar/layer-file.ts";
import { type Arrival, arrivalOf } from "./arrive.ts";
import type { Documents } from "./documents.ts";
import type { PrepareContext } from "./layers.ts";
import type { Opened } from "./opened.ts";
import { type NamedSource, namedSource, type Transport } from "./spelling.ts";

/** What a source is. */
export type Source =
  /** An image to mount as it is. */
  | { readonly kind: "image"; readonly path: string }
  /** One layer's tar. */
  | { readonly kind: "layer"; readonly file: LayerFile }
  /** Images in a directory or a tar, and how they are laid out. */
  | {
      readonly kind: "images";
      readonly docs: Documents;
      readonly form: ImageForm;
      readonly named: NamedSource;
      readonly isDirectory: boolean;
    };

export interface SourceContext {
  /** Made when it is asked for. */
  readonly prepare: () => PrepareContext;
  readonly warn: (message: string) => void;
  /** Keeps what was looked at. */
  readonly opened: Opened;
  /** Directories that links in a layout may lead to. */
  readonly blobDirs: readonly string[];
  /** Where the image is to be seen. */
  readonly mountpoint: string | undefined;
}

/** Those of standard input. */
const STDIN = new Set(["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]);

/**
 * What sources are. Those that come compressed or through a pipe are in the cache then.
 *
 * @throws UsageError, OperationalError when one is nothing of use
 */
export async function sourcesOf(said: readonly string[], context: SourceContext): Promise<Source[]> {
  const all = said.map((one) => {
    const named = namedSource(one);
    return { said: one, named, arrival: arrivalOf(named.path) };
  });
  if (all.filter(({ arrival }) => arrival.kind === "stream" && STDIN.has(arrival.path)).length > 1)
    throw new UsageError("standard input is named twice: it can be read once");
  const kept = all.map(({ arrival, named }) => keptOf(arrival, wholeFile(named.path), context));
  const toStore = all.filter(({ arrival }) => isToStore(arrival));
  const files = all.flatMap(({ arrival }, i) => (isToStore(arrival) ? [elementAt(kept, i)] : []));
  const ids = files.length === 0 ? [] : await (await import("./store.ts")).storeAll(files, context.prepare());
  const stored = new Map(toStore.map(({ said: one }, i) => [one, ids[i]]));
  return Promise.all(
    all.map(async ({ said: one, named, arrival }, i) => {
      if (arrival.kind === "directory") return directory(named, context);
      const id = stored.get(one);
      const found = arrival.kind === "file" ? arrival.found : undefined;
      if (id === undefined) return file(elementAt(kept, i), found, named, context);
      const path = context.prepare().cache.blob(id);
      const within = arrivalOf(path);
      if (within.kind !== "file") throw new OperationalError(`${path}: no file any more`);
      return file(
        keptOf(within, wholeFile(path, wholeFile(named.path).name), context),
        within.found,
        named,
        context,
      );
    }),
  );
}

/** What arrived, open until the image is mounted. */
function keptOf(arrival: Arrival, { path, name }: LayerFile, { opened }: SourceContext): LayerFile {
  if (arrival.kind === "directory" || arrival.fd === undefined) return { path, name };
  return opened.keep(arrival.fd, arrival.kind === "file" ? arrival.path : path, name);
}

/** Whether it is known only when it was read. */
const isToStore = (arrival: Arrival): boolean =>
  arrival.kind === "stream" ||
  (arrival.kind === "file" && !["tar", "erofs", undefined].includes(arrival.found?.reads));

async function file(
  at: LayerFile,
  found: FileKind | undefined,
  named: NamedSource,
  { warn }: SourceContext,
): Promise<Source> {
  const { path, name } = at;
  const { transport } = named;
  if (transport === "oci" || transport === "dir")
    throw new OperationalError(
      `${name}: a file, not a directory: want oci-archive:${path} or docker-archive:${path}`,
    );
  if (found?.reads === "erofs") {
    if (transport === undefined) return { kind: "image", path };
    throw new OperationalError(`${name}: ${found.what}, no archive`);
  }
  const isForced = transport !== undefined;
  const mixed = (what: string, form: ImageForm) => {
    const cure =
      form === "docker-before-1.10"
        ? "if that is meant, docker load it, and docker save it again"
        : "oci-archive:FILE or docker-archive:FILE mounts the image in that";
    warn(`${name}: taken for a layer, though ${what} is among its files; ${cure}`);
  };
  const { Archive } = await import("./archive.ts"); // an image that is mounted as it is needs none
  const archive = Archive.open(at, isForced, mixed);
  if (archive !== undefined)
    return { kind: "images", docs: archive, form: archive.form, named, isDirectory: false };
  if (isForced) throw new OperationalError(`${name}: no archive of images`);
  return { kind: "layer", file: at };
}

async function directory(named: NamedSource, context: SourceContext): Promise<Source> {
  const { path, transport } = named;
  if (transport === "oci-archive" || transport === "docker-archive")
    throw new OperationalError(`${path}: a directory, not an archive: want oci:${path} or dir:${path}`);
  // Its schema library costs 90 ms: only where there are documents.
  const { directoryDocuments } = await import("./documents.ts");
  const docs = directoryDocuments(path, context.blobDirs, context.opened);
  const form = formOf(docs)?.form;
  if (form === undefined || !isOf(form, transport)) {
    if (transport !== "dir" && docs.has("oci-layout")) throw noLayout(path, docs);
    throw plainDirectory(path, transport, context.mountpoint);
  }
  return { kind: "images", docs, form, named, isDirectory: true };
}

const isOf = (form: ImageForm, transport: Transport | undefined): boolean =>
  transport === undefined || (transport === "dir") === (form === "dir");

/** Of a layout whose index.json says nothing, or is more than a document may be. */
function noLayout(path: string, docs: Documents): OperationalError {
  const said = `${path}: an OCI image layout whose index.json`;
  if (!docs.has("index.json")) return new OperationalError(`${said} is not there: copy it again`);
  try {
    mustBeBounded(docs.bytes("index.json"));
  } catch (error) {
    return new OperationalError(`${said} has ${messageOf(error)}`);
  }
  return new OperationalError(`${said} is no JSON: copy it again`);
}

function plainDirectory(
  path: string,
  transport: Transport | undefined,
  target: string | undefined,
): OperationalError {
  if (transport === "dir")
    return new OperationalError(`${path}: a directory, but not of skopeo's form dir: it has no file version`);
  const names = new Set(readdirSync(path));
  const none = `${path}: a directory, but no OCI image layout: it has no file oci-layout`;
  if (transport !== undefined) return new OperationalError(none);
  if (target !== undefined && statSync(target, { throwIfNoEntry: false })?.isFile())
    return new OperationalError(
      `${path}: a directory, and ${target} is a file: the image comes first, then the directory to mount it on`,
    );
  const tree = names.has("rootfs") && names.has("config.json") ? `${path}/rootfs` : path;
  return new OperationalError(`${none}; tar -C ${tree} -cf FILE.tar . makes a layer of what is in it`);
}
