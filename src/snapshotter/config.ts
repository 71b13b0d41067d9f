import { z } from "zod";
import { check } from "../config-file/check.ts";
import { isRecord, unknownKeys } from "../config-file/keys.ts";
import { parseText, problem, readText } from "../config-file/text.ts";
import { LEVELS, type Level } from "../log/log-line.ts";
import { DRIVERS, type Driver } from "../mounts/drivers.ts";
import { EXPORT_MODES, type ExportMode } from "./export-mode.ts";

/** What a configuration file says; what it does not say is undefined. */
export interface SnapshotterConfig {
  readonly root?: string | undefined;
  readonly address?: string | undefined;
  readonly containerdAddress?: string | undefined;
  readonly driver?: Driver | undefined;
  readonly skipKnownLayers?: boolean | undefined;
  readonly exportMode?: ExportMode | undefined;
  readonly logLevel?: Level | undefined;
  /** `[HOST:]PORT`, as `--metrics-address` takes it. */
  readonly metricsAddress?: string | undefined;
  /** One line each: keys that nobody knows. */
  readonly warnings: readonly string[];
}

const path = z.string().min(1, { error: "is empty, want a path" }).optional();

const schema = z.object({
  version: z.literal(1),
  root: path,
  address: path,
  containerd_address: path,
  driver: z.enum(DRIVERS).optional(),
  skip_known_layers: z.boolean().optional(),
  experimental: z
    .object({ tarfs: z.object({ export_mode: z.enum(["", ...EXPORT_MODES]).optional() }).optional() })
    .optional(),
  log: z.object({ level: z.enum(LEVELS).optional() }).optional(),
  metrics: z.object({ address: z.string().optional() }).optional(),
});

/** nydus-snapshotter's keys that ask for what is not done here, and what to write, or do, instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  uid: "the socket is for root only, as which containerd runs: leave it out",
  gid: "the socket is for root only, as which containerd runs: leave it out",
  daemon_mode: "one daemon serves an image where the kernel does not mount it: leave it out",
  cleanup_on_close: "mounts outlive the snapshotter: remove images with containerd",
  daemon: 'take the whole table out; "driver" says what mounts images',
  system: "take the whole table out; nydus-snapshotter-ts ls, du and gc ask a snapshotter that runs",
  remote:
    "take the whole table out; containerd fetches layers: configure registries, mirrors and credentials there",
  auth: "take the whole table out; containerd fetches layers: configure credentials there",
  snapshot:
    "take the whole table out; overlays are made by containerd, and directories are removed when it collects garbage",
  image: "take the whole table out; containerd verifies images",
  cache_manager: 'take the whole table out; layers lie in "root" as long as containerd has snapshots of them',
  cgroup: "take the whole table out; the unit of systemd has MemoryMax=",
};
const EXPERIMENTAL_INSTEAD =
  "take it out; of this table only tarfs.export_mode is known: every layer is a tar here";
const LOG_INSTEAD = Object.fromEntries(
  [
    ...["log_to_stdout", "dir", "rotate_log_max_size", "rotate_log_max_backups", "rotate_log_max_age"],
    ...["rotate_log_local_time", "rotate_log_compress"],
  ].map((key) => [key, "the log goes to standard error: the journal, or a file by redirection, has it"]),
);

/**
 * Reads a configuration file in TOML: keys of nydus-snapshotter (version 1) where they mean the same.
 *
 * @throws OperationalError in one line: `config PATH: KEY: what is wrong, what to write instead`
 */
export function readSnapshotterConfig(file: string): SnapshotterConfig {
  const { data } = parseText(readText(file), file);
  refuseOthers(data, INSTEAD, "", file);
  if (isRecord(data)) refuseOthers(data["log"], LOG_INSTEAD, "log.", file);
  if (isRecord(data)) refuseExperimental(data["experimental"], file);
  const config = check(schema, data, file);
  return {
    ...{ root: config.root, address: config.address, containerdAddress: config.containerd_address },
    ...{ driver: config.driver, skipKnownLayers: config.skip_known_layers, logLevel: config.log?.level },
    exportMode: config.experimental?.tarfs?.export_mode || undefined,
    metricsAddress: config.metrics?.address || undefined,
    warnings: unknownKeys(data, config).map((note) => `config ${file}: ${note}`),
  };
}

function refuseExperimental(table: unknown, file: string): void {
  if (!isRecord(table)) return;
  const tarfs = isRecord(table["tarfs"]) ? table["tarfs"] : {};
  const others = [
    ...Object.keys(table).filter((key) => key !== "tarfs"),
    ...Object.keys(tarfs)
      .filter((key) => key !== "export_mode")
      .map((key) => `tarfs.${key}`),
  ];
  const instead = Object.fromEntries(others.map((key) => [key, EXPERIMENTAL_INSTEAD]));
  refuseOthers(instead, instead, "experimental.", file);
}

function refuseOthers(
  table: unknown,
  instead: Readonly<Record<string, string>>,
  prefix: string,
  file: string,
): void {
  for (const [key, advice] of Object.entries(instead))
    if (isRecord(table) && Object.hasOwn(table, key))
      throw problem(file, `${prefix}${key}: is nydus-snapshotter's, and has no meaning here: ${advice}`);
}
