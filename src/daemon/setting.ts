import { HeldFiles } from "../blob/held-files.ts";
import { StartError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { namesOf } from "../pseudo/pseudo-tree.ts";
import { counterRows } from "../session/worker-pool.ts";
import { openAndPin } from "../session/pinned-image.ts";
import type { Tracing } from "../session/tracing.ts";
import type { ImageAt } from "../session/transport.ts";
import type { ReadyFacts } from "./facts.ts";
import { prepareMountpoint } from "./mountpoint.ts";
import type { DaemonOptions } from "./options.ts";
import { fileBudget, setOpenFiles } from "./rlimit.ts";

/** What there is before anything is mounted, for any driver. */
export interface Setting {
  /** Canonical path of a directory that can be mounted on. */
  readonly mountpoint: string;
  /** Keeps the files of images open, until the process ends or they are released. */
  readonly held: HeldFiles;
  /** Most files that a thread may keep open beyond those. */
  readonly maxOpen: number;
  /** The image to begin with. */
  readonly first: ImageAt | undefined;
}

/** @throws StartError, FormatError */
export async function prepareSetting(options: DaemonOptions, log: Logger): Promise<Setting> {
  const { virtualMountpoint, bootstrap, places, lenient, fileRecords: records, prefetch } = options;
  const names = namesOf(virtualMountpoint);
  if (names === undefined)
    throw new StartError(`virtual mountpoint ${virtualMountpoint}: want an absolute path without . and ..`);
  // Not before: modules are loaded many at a time, those of the API more than 64.
  if (options.openFiles !== undefined) setOpenFiles(options.openFiles);
  const mountpoint = await prepareMountpoint(options.mountpoint, options.force, log);
  const { held: most, each: maxOpen } = fileBudget(options.threads);
  const held = new HeldFiles(most);
  if (bootstrap === undefined) return { mountpoint, held, maxOpen, first: undefined };
  const pinned = openAndPin({ bootstrap, places, lenient, id: "", records, prefetch }, held, log);
  const tracing = await startTracing(options, log); // the list was read already: it may be the same file
  return { mountpoint, held, maxOpen, first: { names, pinned, tracing } };
}

/** Loaded only when it is asked for. @throws StartError */
async function startTracing({ trace, threads }: DaemonOptions, log: Logger): Promise<Tracing | undefined> {
  if (trace === undefined) return undefined;
  return new (await import("../session/tracing.ts")).Tracing(trace, counterRows(threads), log);
}

/** What the ready line says of it. */
export function factsOf({ first, mountpoint }: Setting): ReadyFacts {
  if (first === undefined) return { mountpoint };
  const { image, choice } = first.pinned;
  return {
    image: choice.bootstrap,
    mountpoint: first.names.length === 0 ? mountpoint : `${mountpoint}/${first.names.join("/")}`,
    inodes: image.report.inodes,
    blobs: image.files.length - 1,
  };
}
