/** JSON of the answers, as nydusd gives them; docs/openapi.json says the same for others. */

/** INIT: nothing is mounted. READY: the image was checked. RUNNING: requests are answered. STOPPED: none ever again. */
export type State = "INIT" | "READY" | "RUNNING" | "STOPPED";

export interface DaemonInfo {
  readonly version: {
    readonly package_ver: string;
    readonly git_commit: string;
    readonly build_time: string;
    readonly profile: string;
    /** What runs it: here Node. */
    readonly rustc: string;
  };
  readonly id: string | null;
  readonly supervisor: string | null;
  readonly state: State;
  /** By the place within the mount; null in version 2 of the API. */
  readonly backend_collection: Readonly<Record<string, Backend>> | null;
}

/** An image that is served. */
export interface Backend {
  readonly backend_type: "Rafs";
  readonly mountpoint: string;
  /** `2026-11-23 17:55:54.047607925 +00:00:00` */
  readonly mounted_time: string;
  /** nydusd's configuration, version 2. */
  readonly config: Readonly<Record<string, unknown>>;
}

export interface Events {
  readonly max_errors: number;
  readonly total_errors: number;
  readonly max_size: number;
  /** Bytes of `errors`. */
  readonly total_size: number;
  readonly errors: readonly string[];
}

/** Of one image. Lists by operation are in the order of FOPS, those by size or time in eight classes. */
export interface FsStats {
  readonly files_account_enabled: boolean;
  readonly access_pattern_enabled: boolean;
  readonly record_latest_read_files_enabled: boolean;
  readonly measure_latency: boolean;
  readonly id: string;
  readonly nr_opens: number;
  readonly data_read: number;
  readonly block_count_read: readonly number[];
  readonly fop_hits: readonly number[];
  readonly fop_errors: readonly number[];
  /** µs. */
  readonly fop_cumulative_latency_total: readonly number[];
  readonly read_latency_dist: readonly number[];
}

export const FOPS = [
  ...["getattr", "readlink", "open", "release", "read", "statfs", "getxattr", "listxattr", "opendir"],
  ...["lookup", "readdir", "readdirplus", "access", "forget", "batch_forget"],
] as const;

/** Where the first seven classes of `read_latency_dist` end, µs, inclusive. */
export const READ_LATENCIES = [200, 1000, 20_000, 50_000, 500_000, 1_000_000, 2_000_000] as const;

/** By inode, as `stat` has it: what was asked about a file. Lists as in FsStats. */
export type FilesStats = Readonly<
  Record<
    string,
    {
      readonly total_fops: number;
      readonly data_read: number;
      readonly block_count_read: readonly number[];
      readonly fop_hits: readonly number[];
      readonly fop_errors: readonly number[];
    }
  >
>;

/** Inodes: `[first, last]`, or `[only]`. */
export type ReadRanges = readonly (readonly number[])[];

/** A file that was read. */
export interface AccessPattern {
  readonly ino: number;
  readonly nr_read: number;
  readonly first_access_time_secs: number;
  readonly first_access_time_nanos: number;
  /** Not in nydusd: within the image, and the tar that the file begins in, by its file's name. */
  readonly path: string;
  readonly blob: string;
}

export interface BackendMetrics {
  readonly backend_type: string;
  readonly read_count: number;
  readonly read_errors: number;
  readonly read_amount_total: number;
  readonly read_cumulative_latency_millis_total: number;
  /** By size of the read. */
  readonly read_cumulative_latency_millis_dist: readonly number[];
  readonly read_count_block_size_dist: readonly number[];
  readonly read_latency_sizes_dist: readonly (readonly number[])[];
}

export interface CacheMetrics {
  readonly underlying_files: readonly string[];
  readonly store_path: string;
  readonly partial_hits: number;
  readonly whole_hits: number;
  readonly total: number;
  readonly entries_count: number;
  readonly prefetch_data_amount: number;
  readonly prefetch_requests_count: number;
  readonly prefetch_workers: number;
  readonly prefetch_unmerged_chunks: number;
  readonly prefetch_cumulative_time_millis: number;
  readonly prefetch_begin_time_secs: number;
  readonly prefetch_begin_time_millis: number;
  readonly prefetch_end_time_secs: number;
  readonly prefetch_end_time_millis: number;
  readonly buffered_backend_size: number;
  readonly data_all_ready: boolean;
}

export interface InflightRequest {
  readonly inode: number;
  readonly opcode: number;
  readonly unique: number;
  readonly timestamp_secs: number;
}
