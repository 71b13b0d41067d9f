import { existsSync } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";

/** What a source is said to be. */
export type Transport = "oci" | "oci-archive" | "docker-archive" | "dir";

/** A source as it was named. */
export interface NamedSource {
  readonly path: string;
  /** Said with it, as skopeo takes it: `oci:DIR:TAG`. */
  readonly ref?: string | undefined;
  /** undefined: what it is shows when it is looked at. */
  readonly transport?: Transport | undefined;
}

/** Skopeo's names for what is read here. A path in them ends at the first colon. */
const TRANSPORTS = new Set<string>(["oci", "oci-archive", "docker-archive", "dir"]);
/** Those of which there can be more than one image. */
const WITH_REF = new Set<string>(["oci", "oci-archive", "docker-archive"]);

/** Where images are that this program does not fetch, and what does. IMAGE stands for what follows the name. */
const ELSEWHERE: readonly (readonly [prefix: RegExp, what: string, help: string])[] = [
  [/^docker:(\/\/)?/, "in a registry", "skopeo copy docker://IMAGE oci:DIR"],
  [/^docker-daemon:/, "in Docker's own store", "docker save -o FILE.tar IMAGE"],
  [/^containers-storage:/, "in podman's own store", "podman save -o FILE.tar IMAGE"],
  [/^containerd:/, "in containerd's own store", "ctr image export FILE.tar IMAGE"],
  [/^(ostree|sif|tarball|atomic):/, "of a kind that skopeo reads", "skopeo copy WHOLE oci:DIR"],
  [/^oci:\/\//, "in a registry", "skopeo copy docker://IMAGE oci:DIR (charts: helm pull WHOLE)"],
  [/^https?:\/\//, "on a web server", "curl -fLo FILE WHOLE"],
  [/^file:\/\//, "a file that is named as a URL", "name it by its path: IMAGE"],
];

/** `[registry/]name[:tag][@digest]`, as far as it tells a name from a path. */
const REFERENCE =
  /^[a-z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?(:\d+)?(\/[a-z0-9._-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]+)?$/;
/** Endings of files: who names one of these does not mean an image of a registry. */
const FILE_NAME =
  /\.(tar|t?gz|tgz|zst|zstd|t?xz|t?bz2|boot|bootstrap|img|erofs|iso|zip|oci|json|sqfs|squashfs|qcow2)$/;

/**
 * Takes a source as people write it: as a path, or as skopeo does.
 *
 * @throws OperationalError for what is elsewhere, with the command that brings it here
 */
export function namedSource(said: string): NamedSource {
  // An unset variable of a script.
  if (said === "") throw new OperationalError("a source is an empty string: want a file, a directory or -");
  if (said === "-" || existsSync(said)) return { path: said };
  for (const [prefix, what, help] of ELSEWHERE) {
    if (!prefix.test(said)) continue;
    const command = help.replaceAll("IMAGE", said.replace(prefix, "")).replaceAll("WHOLE", said);
    throw new OperationalError(`${said}: an image ${what}, which is not fetched here: ${command}`);
  }
  const [, transport = "", path = "", , ref] = /^([a-z-]+):([^:]*)(:(.*))?$/s.exec(said) ?? [];
  if (!TRANSPORTS.has(transport)) return { path: said };
  if (path === "") throw new OperationalError(`${said}: want ${transport}:PATH`);
  if (ref !== undefined && !WITH_REF.has(transport))
    return { path: said.slice(transport.length + 1), transport: "dir" };
  return { path, ref: ref || undefined, transport: transport as Transport };
}

/** Why there is no such file, as far as its name tells. */
export function notThere(path: string): OperationalError {
  const isName = REFERENCE.test(path) && !FILE_NAME.test(path);
  const dir = path.replace(/^.*\//, "").replace(/[:@].*$/, "");
  return new OperationalError(
    isName
      ? `${path}: no such file; an image of that name is fetched with skopeo copy docker://${path} oci:${dir}, ` +
          `and mounted with nydusd-ts mount ${dir} DIR`
      : `${path}: no such file`,
  );
}
