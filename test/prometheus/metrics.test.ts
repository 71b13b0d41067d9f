import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { DiskExporter, type ExportedDisks } from "../../src/prometheus/disk-exporter.ts";
import { begin, type FakeMount, fakeMount, READ, startServer, work } from "./mount.ts";

const DOCS = fileURLToPath(new URL("../../docs/monitoring/", import.meta.url));
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT = "text/plain; version=0.0.4; charset=utf-8";

async function scrape(mount: FakeMount, accept = "*/*") {
  const { url } = await startServer(() => {}, mount);
  const get = () => fetch(`${url}/metrics`, { headers: { accept } });
  const response = await get();
  return { type: response.headers.get("content-type"), text: await response.text(), get };
}

function busyMount(): FakeMount {
  const mount = fakeMount();
  work(mount);
  return mount;
}

/** Disks that nobody has asked for. */
const SERVED: ExportedDisks = {
  ...{ version: "0", commit: "0", disks: [{ name: "", size: 4096 }], maxFds: () => 64 },
  counts: () => ({ clients: 0, allClients: 0, requests: { read: 0 }, errors: 0, readBytes: 0 }),
};

const lint = (input: string) => {
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
  return { status, said: stdout + stderr };
};

describe("/metrics", () => {
  it("says what was counted", async () => {
    const mount = busyMount();
    begin(mount.inflightRows[1], READ, 5, 6, performance.timeOrigin + performance.now());
    const { text } = await scrape(mount);
    const lines = text.split("\n");
    const image = '{image_ref="/im\\"ag\\\\e.boot"}';
    expect(lines).toEqual(
      expect.arrayContaining([
        'tarfs_requests_total{operation="read"} 4',
        'tarfs_requests_total{operation="lookup"} 1',
        'tarfs_request_errors_total{operation="read"} 1',
        'tarfs_request_errors_total{operation="lookup"} 0', // there is none: no error
        'tarfs_request_duration_seconds_bucket{le="0.00002",operation="read"} 1',
        'tarfs_request_duration_seconds_bucket{le="0.00005",operation="read"} 2',
        'tarfs_request_duration_seconds_bucket{le="0.0002",operation="read"} 3',
        'tarfs_request_duration_seconds_bucket{le="2",operation="read"} 3',
        'tarfs_request_duration_seconds_bucket{le="+Inf",operation="read"} 4',
        'tarfs_request_duration_seconds_sum{operation="read"} 3.0002',
        'tarfs_request_duration_seconds_count{operation="read"} 4',
        'tarfs_requests_inflight{operation="read"} 1',
        'tarfs_requests_inflight{operation="lookup"} 0',
        `nydusd_total_read_bytes${image} 8193`,
        `nydusd_read_hits${image} 3`,
        `nydusd_read_errors${image} 1`,
        "nydusd_hung_io_counts 0",
        "tarfs_page_cache_misses_total 4",
        'tarfs_read_size_bytes_bucket{le="1024"} 1',
        'tarfs_read_size_bytes_bucket{le="4096"} 2', // one that is just it
        'tarfs_read_size_bytes_bucket{le="16384"} 3',
        'tarfs_read_size_bytes_bucket{le="+Inf"} 3',
        "tarfs_read_size_bytes_sum 8193",
        "tarfs_workers 2",
        "tarfs_workers_busy 1",
        "tarfs_pushed_files_total 5",
        "tarfs_pushed_bytes_total 500",
        "tarfs_prefetch_bytes_total 4096",
        "tarfs_prefetch_files_total 3",
        "tarfs_prefetch_reads_total 2",
        "tarfs_prefetch_seconds_total 1.5",
        "tarfs_prefetch_running 1",
        "tarfs_lost_blobs 1",
        'tarfs_takeovers_total{reason="crash"} 2',
        'tarfs_takeovers_total{reason="upgrade"} 1',
        "tarfs_blobs 3",
        "tarfs_blob_descriptors 4",
        "tarfs_bootstrap_inodes 7",
        'tarfs_mount_state{state="serving"} 1',
        'tarfs_mount_state{state="stopping"} 0',
        `tarfs_build_info{version="1.2.3",commit="abc",node="${process.version}"} 1`,
      ]),
    );
  });

  it("counts on from one scrape to the next, and a counter is no sum of scrapes", async () => {
    const mount = busyMount();
    const { text, get } = await scrape(mount);
    work(mount);
    const reads = (of: string) => Number(/^tarfs_requests_total\{operation="read"\} (\d+)$/m.exec(of)?.[1]);
    expect([reads(text), reads(await (await get()).text())]).toEqual([4, 8]);
  });

  it("of the process are those of this one", async () => {
    const { text } = await scrape(fakeMount());
    const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    expect(value("process_resident_memory_bytes") / process.memoryUsage.rss()).toBeCloseTo(1, 0);
    expect(Math.abs(value("process_open_fds") - readdirSync("/proc/self/fd").length)).toBeLessThan(10);
    expect(value("process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(value("process_start_time_seconds") * 1000).toBeCloseTo(performance.timeOrigin, -1);
    expect(value("process_max_fds")).toBeGreaterThan(10);
  });

  it.each([
    ["that has done nothing", fakeMount],
    ["that has done a lot", busyMount],
  ])("of a mount %s: promtool has nothing to say", async (_, mount) => {
    expect(lint((await scrape(mount())).text)).toEqual({ status: 0, said: "" });
  });

  it("of disks that nobody has asked for: promtool has nothing to say", async () => {
    expect(lint((await new DiskExporter(SERVED).metrics("*/*")).body)).toEqual({ status: 0, said: "" });
  });

  it("promtool would say something", () => {
    const bad = "# HELP x_microseconds a\n# TYPE x_microseconds counter\nx_microseconds 1\n";
    expect(lint(bad)).toEqual({ status: 3, said: expect.stringContaining("x_microseconds") });
  });

  it("has every metric that docs/monitoring speaks of", async () => {
    const { text } = await scrape(busyMount());
    const disks = (await new DiskExporter(SERVED).metrics("*/*")).body;
    const there = new Set(
      [...`${text}\n${disks}`.matchAll(/^(?:# TYPE )?([a-z_]+)/gm)].map(([, name]) => name),
    );
    const files = readdirSync(DOCS);
    expect(files.sort()).toEqual(["README.md", "dashboard.json", "rules.test.yml", "rules.yml"]);
    const meant = files.flatMap((name) =>
      // What a recording rule makes has colons.
      [
        ...readFileSync(DOCS + name, "utf8").matchAll(/(?<![:\w])(?:tarfs|nydusd|process)_[a-z_]+(?![:\w])/g),
      ].map(([metric]) => metric),
    );
    expect(meant.length).toBeGreaterThan(60);
    expect([...new Set(meant)].filter((metric) => !there.has(metric))).toEqual([]);
  });
});

describe("the format", () => {
  it.each([
    ["*/*", TEXT],
    ["", TEXT],
    ["text/plain", TEXT],
    ["application/openmetrics-text", OPEN_METRICS],
    ["application/openmetrics-text; version=1.0.0; charset=utf-8", OPEN_METRICS],
    ["application/openmetrics-text;version=0.0.1", TEXT],
    ["application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5", TEXT],
    ["application/openmetrics-text;version=1.0.0;q=0.1,text/plain;q=0.5", TEXT],
    ["application/openmetrics-text;version=1.0.0;q=0", TEXT],
    // Prometheus 2.42
    [
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      OPEN_METRICS,
    ],
    [";;,;q=x,=", TEXT],
  ])("for Accept: %s is %s", async (accept, want) => {
    expect((await scrape(busyMount(), accept)).type).toBe(want);
  });

  it("OpenMetrics names a counter's family without _total, and ends in # EOF; text is as before", async () => {
    const { server, url } = await startServer(() => {}, busyMount());
    expect(server.address).toMatch(/^127\.0\.0\.1:\d+$/);
    const get = async (accept: string) => (await fetch(`${url}/metrics`, { headers: { accept } })).text();
    const before = await get("*/*");
    const open = await get("application/openmetrics-text");
    expect(open).toContain("# TYPE tarfs_requests counter\n");
    expect(open).toContain('tarfs_requests_total{operation="read"} 4\n');
    expect(open.endsWith("\n# EOF\n")).toBe(true);
    const after = await get("*/*");
    expect(after).toContain("# TYPE tarfs_requests_total counter\n");
    const names = (text: string) => text.replace(/ \S+$/gm, "");
    expect(names(after)).toBe(names(before));
  });
});
