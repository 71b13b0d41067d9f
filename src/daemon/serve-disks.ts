import { closeSync } from "node:fs";
import type { Socket } from "node:net";
import type { BlobSearch } from "../blob/locate.ts";
import type { DiskFile } from "../block/disk-reader.ts";
import type { Verity } from "../block/export.ts";
import type { FlatDisk } from "../block/flat-disk.ts";
import { type DiskForm, openImageDisk } from "../block/image-disk.ts";
import { ServedDisk } from "../block/served-disk.ts";
import { withHashTree } from "../block/tree-file.ts";
import { listenAt, listening } from "../listen/unix-socket.ts";
import type { Logger } from "../log/log.ts";
import { exportFlags } from "../nbd/protocol.ts";
import { NbdServer } from "../nbd/server.ts";
import { openFileLimit } from "../proc/file-limit.ts";
import type { Address } from "../prometheus/http.ts";
import { setSendBuffer } from "../syscalls/send-buffer.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";
import { type DeviceToServe, NbdAttachment } from "./nbd-attachment.ts";
import { buildInfo } from "./version.ts";

/** A piece of an answer, and what the kernel counts besides: else each is told in two parts, and waited for between (0057). */
const SEND_BUFFER = 512 << 10;

/** Where clients come. */
export type DiskAddress =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** A listening socket that this process was started with. */
  | { readonly kind: "inherited"; readonly fd: number }
  /** The kernel itself, by a device of its NBD. */
  | ({ readonly kind: "device" } & DeviceToServe);

/** An image that is to be served as a disk. */
export interface DiskToServe {
  /** What clients call it; "" is what they get that name none. */
  readonly name: string;
  readonly bootstrap: string;
  readonly places: BlobSearch;
  readonly form: DiskForm;
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
  readonly blockSize: number;
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
  const monitoring = metrics && (await startMonitoring(metrics, log));
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
    nbd.server.on("connection", widen);
    const attachment = await listen(nbd, address, open, log);
    const isThere = await Promise.race([attachment?.attach() ?? true, asked.then(() => false)]);
    if (isThere) {
      const bound = nbd.server.address();
      const served = { ...buildInfo(), disks: open, maxFds: openFileLimit, counts: () => nbd.counts };
      monitoring?.export(served);
      onReady(open, typeof bound === "object" ? bound?.port : undefined, monitoring?.address);
    }
    await Promise.race([asked, attachment?.lost ?? asked]);
    await attachment?.end();
    await nbd.close();
  } finally {
    monitoring?.close();
    for (const { close } of open) close();
  }
}

/** TCP finds out by itself how much it needs. */
function widen(socket: Socket): void {
  const { _handle: handle, remoteAddress } = socket as Socket & {
    readonly _handle?: { readonly fd?: number };
  };
  if (remoteAddress === undefined && handle?.fd !== undefined && handle.fd >= 0)
    setSendBuffer(handle.fd, SEND_BUFFER);
}

/** Loaded only when asked for (0010). */
async function startMonitoring(metrics: Address, log: Logger) {
  const { MetricsServer } = await import("../prometheus/metrics-server.ts");
  const { DiskExporter } = await import("../prometheus/disk-exporter.ts");
  const server = await MetricsServer.start(metrics, log.warn);
  return {
    address: server.address,
    export: (...served: ConstructorParameters<typeof DiskExporter>) =>
      server.export(new DiskExporter(...served)),
    close: () => server.close(),
  };
}

async function openDisk({ name, bootstrap, places, form, salt }: DiskToServe): Promise<OpenDisk> {
  const image = openImageDisk(bootstrap, places, form);
  try {
    const { disk, files, close, blockSize } = image;
    if (salt === undefined) return opened(name, disk, files, blockSize, undefined, close);
    const { tree, verity, disk: whole } = await withHashTree(disk, files, blockSize, salt);
    const closeAll = () => {
      close();
      closeSync(tree.fd);
    };
    return opened(name, whole, [...files, tree], blockSize, verity, closeAll);
  } catch (error) {
    image.close();
    throw error;
  }
}

function opened(
  name: string,
  disk: FlatDisk,
  files: readonly DiskFile[],
  blockSize: number,
  verity: Verity | undefined,
  close: () => void,
): OpenDisk {
  const served = new ServedDisk(disk, files);
  return { name, size: served.size, blockSize, verity, served, close };
}

/** @returns the kernel as a client, when that is the address; it has to be attached yet */
async function listen(
  nbd: NbdServer,
  address: DiskAddress,
  [disk]: readonly OpenDisk[],
  log: Logger,
): Promise<NbdAttachment | undefined> {
  const { server } = nbd;
  switch (address.kind) {
    case "socket":
      await listenAt(server, address.path, "socket");
      return undefined;
    case "tcp":
      server.listen(address.port, address.host);
      await listening(server, `${address.host}:${address.port}`);
      return undefined;
    case "inherited":
      server.listen({ fd: address.fd });
      await listening(server, `descriptor ${address.fd}`);
      return undefined;
    case "device": {
      const { served, blockSize } = disk as OpenDisk;
      const { size } = served;
      const shown = { size, blockSize, flags: exportFlags(false), backend: served.digest() };
      return new NbdAttachment(address, shown, (fd) => nbd.serveAgreed(fd, served), log);
    }
  }
}
