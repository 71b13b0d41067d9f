import {
  type BackendMetrics,
  type CacheMetrics,
  type DaemonInfo,
  FOPS,
  type FsStats,
} from "../api/shapes.ts";
import { escapeControlChars, shown } from "../bytes/escape-control-chars.ts";

/**
 * What nydusctl prints, but for labels that say what the classes are; values as they are in JSON, as there. A daemon may be
 * anybody's: what should be a number is a text of his, and goes through `shown` like any name.
 */

const SIZES = ["<1K", "1K~", "4K~", "16K~", "64K~", "128K~", "512K~", "1M~"];
/** Where READ_LATENCIES end; nydusctl's labels are those of another list. */
const LATENCIES = ["<=200us", "<=1ms", "<=20ms", "<=50ms", "<=500ms", "<=1s", "<=2s", ">2s"];

const json = (value: unknown): string => JSON.stringify(value);
const plain = (value: unknown): string => shown(`${value}`);
const cells = (values: readonly unknown[]): string =>
  values
    .map((v) => plain(v).padEnd(8))
    .join("")
    .trimEnd();
const row = (label: string, width: number, values: readonly unknown[]): string =>
  `${label.padEnd(width)}${cells(values)}`;
const facts = (all: readonly (readonly [label: string, value: unknown])[], width: number): string =>
  all.map(([label, value]) => `${`${label}:`.padEnd(width)}${escapeControlChars(`${value}`)}`).join("\n");
const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);

export function infoText({ version, id, state, backend_collection }: DaemonInfo): string {
  const lines = [
    ["Version", json(version.package_ver)],
    ["Status", json(state)],
    ["Profile", json(version.profile)],
    ["Commit", json(version.git_commit)],
    ...(id === null ? [] : [["Id", json(id)] as const]),
  ] as const;
  const backends = Object.entries(backend_collection ?? {}).map(([place, backend]) => {
    const { rafs, cache } = (backend.config ?? {}) as Partial<Record<string, Record<string, unknown>>>;
    const prefetch = cache?.["prefetch"] as Record<string, unknown> | undefined;
    return [
      `Instance Mountpoint:  ${shown(place)}`,
      `Type:  ${plain(backend.backend_type)}`,
      `Mounted Time:  ${plain(backend.mounted_time)}`,
      `Mode:  ${plain(rafs?.["mode"])}`,
      `Prefetch:  ${plain(prefetch?.["enable"])}`,
      `Prefetch Merging Size:  ${plain(prefetch?.["batch_size"])}`,
    ].map((line) => `\n\t${line}`);
  });
  const instances = backends.length === 0 ? "" : `\nInstances:${backends.flat().join("")}`;
  return `\n${facts(lines, 24)}${instances}\n`;
}

export function fsStatsText(stats: FsStats): string {
  const names = FOPS.map((name) =>
    name.replace(/(^|_)(.)/g, (_, __, letter: string) => letter.toUpperCase()),
  );
  const counts = names.map((name, i) => `${name}(${plain(stats.fop_hits[i])})`);
  const mib = Math.floor(stats.data_read / 1024 / 1024);
  return `
${row("Read Latency:", 16, LATENCIES)}
${row("Reads Count:", 16, stats.read_latency_dist)}

Read Errors: ${plain(stats.fop_errors[FOPS.indexOf("read")])}
Read Data: ${plain(stats.data_read)}Bytes (${mib}MB)

FOP Counters:
${counts.slice(0, 8).join(" ")}
${counts.slice(8).join(" ")}
`;
}

export function backendText(m: BackendMetrics): string {
  const average = m.read_count_block_size_dist.map((count, i) =>
    Math.floor(ratio(m.read_cumulative_latency_millis_dist[i] ?? 0, count)),
  );
  const lines = [
    ["Backend Type", json(m.backend_type)],
    ["Read Amount", `${m.read_amount_total} Bytes (${m.read_amount_total / 1024 / 1024} MB)`],
    ["Read Count", m.read_count],
    ["Read Errors", m.read_errors],
  ] as const;
  return `
${facts(lines, 20)}

${row("Block Sizes:", 25, SIZES)}
${row("Average Latency(millis):", 25, average)}

${row("Block Sizes:", 25, SIZES)}
${row("Request Count:", 25, m.read_count_block_size_dist)}
`;
}

/** What happened between two looks, `seconds` apart. */
export function backendRateText(from: BackendMetrics, to: BackendMetrics, seconds: number): string {
  const bytes = to.read_amount_total - from.read_amount_total;
  const reads = to.read_count - from.read_count;
  const ms = to.read_cumulative_latency_millis_total - from.read_cumulative_latency_millis_total;
  const since = (key: "read_count_block_size_dist" | "read_cumulative_latency_millis_dist") =>
    to[key].map((value, i) => value - (from[key][i] ?? 0));
  const counts = since("read_count_block_size_dist");
  const average = since("read_cumulative_latency_millis_dist").map((sum, i) =>
    Math.floor(ratio(sum, counts[i] ?? 0)),
  );
  const lines = [
    ["Backend Read Bandwidth", `${Math.floor(bytes / (seconds * 1024))} KB/S`],
    ["Backend Average IO Size", `${Math.floor(ratio(bytes, reads))} Bytes`],
    ["Backend Average Latency", `${Math.floor(ratio(ms, reads))} millis`],
  ] as const;
  return `
>>> >>> >>> >>> >>>
${facts(lines, 28)}

Block Sizes/millis:
${cells(SIZES)}
${cells(average)}
<<< <<< <<< <<< <<<
`;
}

export function cacheText(m: CacheMetrics): string {
  const bytes = m.prefetch_data_amount;
  const seconds =
    m.prefetch_end_time_secs -
    m.prefetch_begin_time_secs +
    (m.prefetch_end_time_millis - m.prefetch_begin_time_millis) / 1000;
  const read = [
    ["Partial Hits", m.partial_hits],
    ["Whole Hits", m.whole_hits],
    ["Total Read", m.total],
    ["Directory", json(m.store_path)],
    ["Files", json(m.underlying_files)],
    ["Persister Buffer", m.buffered_backend_size],
  ] as const;
  const prefetched = [
    ["Prefetch Workers", m.prefetch_workers],
    ["Prefetch Amount", `${bytes} = ${bytes / 1024} KB`],
    ["Prefetch Requests", m.prefetch_requests_count],
    ["Prefetch Average Size", `${Math.floor(ratio(bytes, m.prefetch_requests_count))} Bytes`],
    ["Prefetch Duration", `${seconds} Seconds`],
    ["Prefetch Bandwidth", `${ratio(bytes / 1024 / 1024, seconds)} MB/S`],
    [
      "Prefetch Request Latency",
      `${ratio(m.prefetch_cumulative_time_millis, m.prefetch_requests_count) / 1000} Seconds`,
    ],
    ["Prefetch Unmerged", m.prefetch_unmerged_chunks],
  ] as const;
  return `\n${facts(read, 28)}\n\n${facts(prefetched, 28)}\n`;
}
