import { escapeControlChars } from "../bytes/escape-control-chars.ts";
import type { MountContext } from "../seed/mount-context.ts";

/** What the ready line says, an interface that programs read: see FIELDS. Absent is not said. */
export interface ReadyFacts {
  /** Path of the image, as it was given. */
  readonly image?: string | undefined;
  readonly mountpoint: string;
  readonly inodes?: number | undefined;
  readonly blobs?: number | undefined;
  /** How the daemon talks to the kernel, with how many workers, and what INIT agreed on. */
  readonly transport?: string | undefined;
  readonly workers?: number | undefined;
  readonly protocol?: string | undefined;
  /** Longest READ, bytes. */
  readonly max_read?: number | undefined;
  /** The kernel serves the mount itself, from this. */
  readonly driver?: "erofs" | undefined;
  readonly backing?: string | undefined;
  /** Directory that has the changes of the writable overlay. */
  readonly upper?: string | undefined;
  /** HOST:PORT of the metrics. */
  readonly metrics?: string | undefined;
}

/** What there is to be said of a mount before it is made. */
export function imageFacts({ first, mountpoint }: MountContext): ReadyFacts {
  if (first === undefined) return { mountpoint };
  const { image, choice } = first.pinned;
  return {
    image: choice.bootstrap,
    mountpoint: first.names.length === 0 ? mountpoint : `${mountpoint}/${first.names.join("/")}`,
    inodes: image.report.inodes,
    blobs: image.files.length - 1,
  };
}

/** In the order in which they are said. */
const FIELDS = [
  ...["image", "mountpoint", "inodes", "blobs", "transport", "workers", "protocol", "max_read"],
  ...["driver", "backing", "upper", "metrics"],
] as readonly (keyof ReadyFacts)[];

/**
 * The ready line but for its first word: `key=value …`, where a value that would not be one word is a string of JSON.
 *
 * @param ms since this process began
 * @param more of a daemon in the background: where its log is, and its pid, the last
 */
export function formatFacts(
  facts: ReadyFacts,
  ms = performance.now(),
  more: Readonly<Record<string, string | number | undefined>> = {},
): string {
  return formatWords({
    ...Object.fromEntries(FIELDS.map((key) => [key, facts[key]])),
    ms: Math.round(ms),
    ...more,
  });
}

/** `key=value …`, as in the ready line; what is undefined is left out. */
export function formatWords(words: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(words)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${oneWord(`${value}`)}`)
    .join(" ");
}

const oneWord = (value: string): string =>
  /[\s"\\]/.test(value) || value === "" || escapeControlChars(value) !== value
    ? escapeControlChars(JSON.stringify(value))
    : value;
