import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ask, type Daemon, launch, servedCounts, sh, start, until, workDir } from "../support/daemon.ts";
import { metric, metricsAddress } from "../support/metrics.ts";
import { must, versions } from "../support/submounts.ts";
import { tarImage } from "../support/tar-image.ts";

const DOCS = fileURLToPath(new URL("../../docs/monitoring/", import.meta.url));
const PATIENCE_MS = 240_000;

it("promtool passes the rules, and each alert fires for what it is about", () => {
  expect(sh('cd "$DOCS" && promtool check rules rules.yml', { DOCS })).toMatch(/SUCCESS: 13 rules found/);
  expect(sh('cd "$DOCS" && promtool test rules rules.test.yml', { DOCS })).toMatch(/SUCCESS/);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  // biome-ignore lint/suspicious/noExplicitAny: each path has its own
  readonly data: any;
}

interface Sample {
  readonly metric: Record<string, string>;
  readonly value: [at: number, value: string];
}

/** A Prometheus that scrapes a daemon every second and knows our rules; it ends with the test. */
async function watch(daemon: Daemon) {
  const dir = workDir();
  const address = `127.0.0.1:${await freePort()}`;
  mkdirSync(join(dir, "data"));
  // It would take its path for a pattern.
  copyFileSync(join(DOCS, "rules.yml"), join(dir, "rules.yml"));
  writeFileSync(
    join(dir, "prometheus.yml"),
    `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs: [{ job_name: nydusd-ts, static_configs: [{ targets: ["${metricsAddress(daemon)}"] }] }]
`,
  );
  const prometheus = launch("prometheus", [
    `--config.file=${join(dir, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(dir, "data")}`,
    `--web.listen-address=${address}`,
  ]);
  let words = "";
  prometheus.stderr.on("data", (chunk: Buffer) => {
    words += chunk.toString();
  });
  await until(() => words.includes("Server is ready") || prometheus.exitCode !== null, "Prometheus");
  if (prometheus.exitCode !== null) throw new Error(words);
  const api = async (path: string) => {
    const response = await fetch(`http://${address}/api/v1/${path}`);
    const { status, data, error } = (await response.json()) as Answer;
    if (status !== "success") throw new Error(`${path}: ${error}`);
    return data;
  };
  return {
    targets: async () => (await api("targets")).activeTargets as { health: string; lastError: string }[],
    rules: async () =>
      (await api("rules")).groups.flatMap((group: { rules: unknown[] }) => group.rules) as {
        name: string;
        health: string;
        state?: string;
      }[],
    query: async (expr: string) => (await api(`query?query=${encodeURIComponent(expr)}`)).result as Sample[],
    stop: () => {
      const gone = new Promise((resolve) => prometheus.once("exit", resolve));
      prometheus.kill("SIGTERM");
      return gone;
    },
  };
}

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly query: string }[] };
}

it("a Prometheus has what a daemon served, and every query of the dashboard an answer", async () => {
  const FILES = 40;
  const SIZE = 300_000;
  const image = tarImage(`for i in $(seq ${FILES}); do head -c ${SIZE} /dev/urandom >f$i; done`);
  const sock = join(workDir(), "api.sock");
  const first = ["--apisock", sock, "--virtual-mountpoint", "/a"];
  const daemon = await start([...image.flags, ...first, "--metrics-address", "0"]);
  await must(sock, "POST /b", await versions("echo other >f"));
  await ask('cat "$1/b/f"', daemon.mountpoint);
  const prometheus = await watch(daemon);
  const value = async (expr: string) => Number((await prometheus.query(expr))[0]?.value[1] ?? Number.NaN);
  const eventually = async (expr: string, wanted: (value: number) => boolean) => {
    for (const end = Date.now() + PATIENCE_MS; !wanted(await value(expr)); await sleep(200))
      if (Date.now() > end) throw new Error(`${expr} is ${await value(expr)}`);
  };

  // It takes its time to find a target. Then work, past the page cache; a name that is not there is asked for as well.
  await eventually('up{job="nydusd-ts"}', (up) => up === 1);
  const load = ask(
    'for round in 1 2 3 4 5 6; do for f in "$1"/a/f*; do dd if=$f bs=64k iflag=direct status=none; done | wc -c; [ ! -e "$1"/none$round ]; sleep 0.5; done',
    daemon.mountpoint,
  );
  const served = (await load).trim().split("\n").map(Number);
  expect(served).toEqual(Array.from({ length: 6 }, () => FILES * SIZE));

  const bytes = await metric(daemon, "tarfs_read_size_bytes_sum");
  const reads = await metric(daemon, 'tarfs_requests_total{operation="read"}');
  expect(bytes).toBeGreaterThanOrEqual(6 * FILES * SIZE);
  await eventually("sum(nydusd_total_read_bytes)", (stored) => stored === bytes);
  await eventually("min(nydusd_total_read_bytes)", (stored) => stored === "other\n".length);
  expect(await value("count(tarfs_mount_info)")).toBe(2);
  await eventually('tarfs_requests_total{operation="read"}', (stored) => stored === reads);
  await eventually('tarfs_request_duration_seconds_count{operation="read"}', (stored) => stored === reads);
  expect(await value("tarfs_page_cache_misses_total")).toBe(reads);
  expect(await value('tarfs_request_errors_total{operation="read"}')).toBe(0);
  expect(await value('tarfs_mount_state{state="serving"}')).toBe(1);
  expect(await value("tarfs_bootstrap_inodes")).toBe(FILES + 1 + 2);
  expect(await value("tarfs_images")).toBe(2);
  expect(await prometheus.targets()).toEqual([expect.objectContaining({ health: "up", lastError: "" })]);

  // What rate() needs two of is there by now, and so is what rules make of it.
  await eventually("instance:tarfs_read_bytes:rate5m", (rate) => rate > 0);
  const rules = await prometheus.rules();
  expect(rules.map(({ health }) => health)).toEqual(Array.from({ length: 13 }, () => "ok"));
  expect(rules.filter(({ state = "inactive" }) => state !== "inactive")).toEqual([]);

  const { panels, annotations, templating } = JSON.parse(
    readFileSync(join(DOCS, "dashboard.json"), "utf8"),
  ) as Dashboard;
  const answer = async (expr: string) => {
    const filled = expr
      .replace(/\$(?:instance|image)\b/g, ".*")
      .replace(/\$__(?:rate_interval|range)\b/g, "1m");
    expect(filled).not.toContain("$");
    return prometheus.query(filled);
  };
  const queries = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
  expect(queries.length).toBeGreaterThan(25);
  for (const { title, expr } of queries)
    expect({ title, expr, answers: (await answer(expr)).length }).not.toMatchObject({ answers: 0 });
  for (const { expr } of annotations.list) expect(await answer(expr)).toEqual([]); // nothing took over
  // What a variable offers.
  const offered = templating.list.flatMap(({ query }) => {
    const [, series = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
    return series === "" ? [] : [{ series, label }];
  });
  expect(offered.map(({ label }) => label)).toEqual(["image_ref", "instance"]);
  for (const { series, label } of offered)
    for (const { metric } of await answer(series)) expect(metric[label]).toMatch(/./);

  // Grafana makes one line of what has the same labels: an image each.
  const [table] = panels.filter(({ type }) => type === "table");
  const lines = await Promise.all(
    (table?.targets ?? []).map(async ({ expr }) => {
      const labels = (await answer(expr)).map(({ metric: { __name__, ...rest } }) => JSON.stringify(rest));
      return labels.sort();
    }),
  );
  expect(lines.length).toBe(5);
  expect(lines[0]?.length).toBe(2);
  expect(lines).toEqual(lines.map(() => lines[0]));

  expect(await daemon.stop()).toBe(0);
  expect(servedCounts(daemon.output())).toMatchObject({ read: reads, read_bytes: bytes });
  await eventually('up{job="nydusd-ts"}', (up) => up === 0);
  await prometheus.stop();
});
