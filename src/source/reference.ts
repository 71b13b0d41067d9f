/** The name of an image in a registry, with nothing left to guess. */
export interface Reference {
  readonly domain: string;
  /** Of the repository, below its domain. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const ALPHANUMERIC = "[a-z0-9]+";
const COMPONENT = `${ALPHANUMERIC}(?:(?:[._]|__|-+)${ALPHANUMERIC})*`;
const HOST_PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const DOMAIN = `(?:${HOST_PART}(?:\\.${HOST_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const TAG = "\\w[\\w.-]{0,127}";
const DIGEST = "sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}";
const REFERENCE = new RegExp(
  `^(?<domain>${DOMAIN})/(?<path>${COMPONENT}(?:/${COMPONENT})*)(?::(?<tag>${TAG}))?(?:@(?<digest>${DIGEST}))?$`,
);
const DIGEST_ALONE = new RegExp(`^(?:${DIGEST})$`);
const IDENTIFIER = /^[0-9a-f]{64}$/;
const MAX_PATH = 255;
const MAX_REFERENCE = 1024;

export const isDigest = (text: string): boolean => DIGEST_ALONE.test(text);

/**
 * Reads a name as docker, containerd and podman do: `app` is `docker.io/library/app`.
 *
 * @returns undefined when it is no such name
 * @see https://github.com/distribution/reference/blob/main/normalize.go
 */
export function parseReference(text: string): Reference | undefined {
  if (text.length > MAX_REFERENCE || IDENTIFIER.test(text)) return undefined;
  const [domainSaid, rest] = splitDomain(text);
  const isHub = domainSaid === "docker.io";
  const groups = REFERENCE.exec(
    `${domainSaid}/${isHub && !rest.includes("/") ? "library/" : ""}${rest}`,
  )?.groups;
  const { domain, path, tag, digest } = groups ?? {};
  if (domain === undefined || path === undefined || path.length > MAX_PATH) return undefined;
  return { domain, path, tag, digest };
}

function splitDomain(text: string): [domain: string, rest: string] {
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  if (first === "index.docker.io") return ["docker.io", text.slice(slash + 1)];
  const isDomain = first === "localhost" || /[.:]/.test(first) || first.toLowerCase() !== first;
  return isDomain ? [first, text.slice(slash + 1)] : ["docker.io", text];
}

/**
 * The whole name with its tag, `latest` where nothing is said.
 *
 * @returns undefined when it is no name, or a digest stands in the place of a tag
 */
export function canonicalName(text: string): string | undefined {
  const { domain, path, tag, digest } = parseReference(text) ?? {};
  if (domain === undefined || (tag === undefined && digest !== undefined)) return undefined;
  return `${domain}/${path}:${tag ?? "latest"}`;
}

/** As short as docker shows it. */
export function familiarName(text: string): string {
  const reference = parseReference(text);
  if (reference === undefined || reference.domain !== "docker.io") return text;
  const { path, tag, digest } = reference;
  const short = /^library\/([^/]+)$/.exec(path)?.[1] ?? path;
  return [short, tag && `:${tag}`, digest && `@${digest}`].filter(Boolean).join("");
}
