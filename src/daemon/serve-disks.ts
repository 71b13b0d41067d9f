import { closeSync } from "node:fs";
import type { BlobSearch } from "../blob/locate.ts";
import type { DiskFile } from "../block/disk-reader.ts";
import type { Verity } from "../block/export.ts";
import type { FlatDisk } from "../block/flat-disk.ts";
import { openImageDisk } from "../block/image-disk.ts";
import { ServedDisk } from "../block/served-disk.ts";
import { withHashTree } from "../block/tree-file.ts";
import { listenAt, listening } from "../listen/unix-socket.ts";
import type { Logger } from "../log/log.ts";
import { NbdServer } from "../nbd/server.ts";
import { openFileLimit } from "../proc/file-limit.ts";
import type { Address } from "../prometheus/http.ts";
import { DiskExporter } from "../prometheus/disk-exporter.ts";
import { MetricsServer } from "../prometheus/metrics-server.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";
import { buildInfo } from "./version.ts";

/** Where clients come. */
export type DiskAddress =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** A listening socket that this process was started with. */
  | { readonly kind: "inherited"; readonly fd: number };

/** An image that is to be served as a disk. */
export interface DiskToServe {
  /** What clients call it; "" is what they get that name none. */
  readonly name: string;
  readonly bootstrap: string;
  readonly places: BlobSearch;
  readonly isSingle: boolean;
  /** Salt of a hash tree behind the disk; undefined: none. */
  readonly salt: Uint8Array | undefined;
  /** To be called once its files are open. */
  readonly opened: () => void;
}

/** A disk that is served. */
export interface DiskFacts {
  readonly name: string;
  readonly size: number;
  readonly verity: Verity | undefined;
}

interface OpenDisk extends DiskFacts {
  readonly served: ServedDisk;
  readonly close: () => void;
}

/**
 * Serves images as disks that are written nowhere, until SIGTERM or SIGINT.
 *
 * @param metrics where it tells of itself over HTTP; undefined: nowhere
 * @param onReady told when clients may come, and where, and where metrics are: a port may be the system's choice
 * @throws OperationalError, FormatError before that
 */
export async function serveDisks(
  disks: readonly DiskToServe[],
  address: DiskAddress,
  log: Logger,
  metrics: Address | undefined,
  onReady: (facts: readonly DiskFacts[], port: number | undefined, metrics: string | undefined) => void,
): Promise<void> {
  await loadSystemCalls();
  const monitoring = metrics && (await MetricsServer.start(metrics, log.warn));
  const open: OpenDisk[] = [];
  try {
    for (const disk of disks) {
      open.push(await openDisk(disk));
      disk.opened();
    }
    // Not before: opening is one long step, in which no handler would hear a signal.
    const asked = new Promise<void>((resolve) => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve());
    });
    const nbd = new NbdServer(new Map(open.map(({ name, served }) => [name, served])), log);
    await listen(nbd, address);
    const bound = nbd.server.address();
    const served = { ...buildInfo(), disks: open, maxFds: openFileLimit, counts: () => nbd.counts };
    monitoring?.export(new DiskExporter(served));
    onReady(open, typeof bound === "object" ? bound?.port : undefined, monitoring?.address);
    await asked;
    await nbd.close();
  } finally {
    monitoring?.close();
    for (const { close } of open) close();
  }
}

async function openDisk({ name, bootstrap, places, isSingle, salt }: DiskToServe): Promise<OpenDisk> {
  const image = openImageDisk(bootstrap, places, isSingle);
  try {
    const { disk, files, close, tables } = image;
    if (salt === undefined) return opened(name, disk, files, undefined, close);
    const { tree, verity, disk: whole } = await withHashTree(disk, files, tables.sb.blockSize, salt);
    return opened(name, whole, [...files, tree], verity, () => {
      close();
      closeSync(tree.fd);
    });
  } catch (error) {
    image.close();
    throw error;
  }
}

function opened(
  name: string,
  disk: FlatDisk,
  files: readonly DiskFile[],
  verity: Verity | undefined,
  close: () => void,
): OpenDisk {
  const served = new ServedDisk(disk, files);
  return { name, size: served.size, verity, served, close };
}

async function listen({ server }: NbdServer, address: DiskAddress): Promise<void> {
  if (address.kind === "socket") return listenAt(server, address.path, "socket");
  const where = address.kind === "tcp" ? `${address.host}:${address.port}` : `descriptor ${address.fd}`;
  if (address.kind === "tcp") server.listen(address.port, address.host);
  else server.listen({ fd: address.fd });
  await listening(server, where);
}
