import type { Answer } from "./http.ts";
import { addCounter, addGauge, type Registry } from "./metric.ts";
import type { MetricsSource } from "./metrics-server.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import { TextFormats } from "./text-formats.ts";

/** What a server of disks has done so far. */
interface DiskCounts {
  /** Clients that are connected, and that ever were. */
  readonly clients: number;
  readonly allClients: number;
  /** By name of the command. */
  readonly requests: Readonly<Record<string, number>>;
  readonly errors: number;
  /** Of READs within a disk. */
  readonly readBytes: number;
}

/** Disks that are served to clients. */
export interface ExportedDisks {
  readonly version: string;
  readonly commit: string;
  readonly disks: readonly { readonly name: string; readonly size: number }[];
  readonly maxFds: () => number;
  counts(): DiskCounts;
}

/** The metrics of a server of disks. */
export class DiskExporter implements MetricsSource {
  private readonly formats: TextFormats;

  constructor(served: ExportedDisks) {
    this.formats = new TextFormats((registry) => addDiskMetrics(registry, served));
  }

  state(): "serving" {
    return "serving";
  }

  metrics(accept: string): Promise<Answer> {
    return this.formats.answer(accept);
  }

  close(): void {}
}

function addDiskMetrics(registry: Registry, { counts, disks, version, commit, maxFds }: ExportedDisks): void {
  const clients = { name: "tarfs_nbd_clients", help: "NBD clients that are connected." };
  addGauge(registry, clients, () => counts().clients);
  const all = { name: "tarfs_nbd_clients_total", help: "NBD clients that have connected." };
  addCounter(registry, all, () => counts().allClients);
  const requests = {
    name: "tarfs_nbd_requests_total",
    help: "Requests of NBD clients, by command.",
    labels: ["command"],
  };
  addCounter(registry, requests, () =>
    Object.entries(counts().requests).map(([command, count]) => [count, { command }]),
  );
  const errors = {
    name: "tarfs_nbd_request_errors_total",
    help: "Requests of NBD clients that were answered with an error.",
  };
  addCounter(registry, errors, () => counts().errors);
  const bytes = {
    name: "tarfs_nbd_read_bytes_total",
    help: "Bytes that NBD clients asked for, within a disk; holes are bytes, too.",
  };
  addCounter(registry, bytes, () => counts().readBytes);
  const sizes = {
    name: "tarfs_nbd_disk_bytes",
    help: "Bytes of a disk, by the name of its export.",
    labels: ["export"],
  };
  addGauge(registry, sizes, () => disks.map(({ name, size }) => [size, { export: name }]));
  const build = {
    name: "tarfs_build_info",
    help: "1; which daemon this is.",
    labels: ["version", "commit", "node"],
  };
  addGauge(registry, build, () => [[1, { version, commit, node: process.version }]]);
  addProcessMetrics(registry, maxFds);
}
