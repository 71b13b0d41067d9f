import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { AccessPattern, FilesStats, FsStats } from "../../src/api/shapes.ts";
import { FOPS } from "../../src/api/shapes.ts";
import { ctl, get, startManaged } from "../support/api.ts";
import { ask, run, workDir } from "../support/daemon.ts";

const READ = FOPS.indexOf("read");
const LOOKUP = FOPS.indexOf("lookup");
const FILES = "/api/v1/metrics/files";
const PATTERN = "/api/v1/metrics/pattern";

const inode = async (path: string) => Number(await ask('stat -c %i "$1"', path));
const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

it("--file-stats sums what is asked about each file over all workers", async () => {
  const before = Math.floor(Date.now() / 1000);
  const { sock, mountpoint, stop, output } = await startManaged("04-large", "--file-stats");
  expect(output()).toContain("push off");
  const at = (name: string) => join(mountpoint, name);
  await ask(
    'for i in 1 2 3 4; do dd if="$1" iflag=direct bs=64k status=none >/dev/null & done; wait',
    at("m1p1"),
  );
  await ask('cat "$1" >/dev/null; stat "$2/none" 2>/dev/null || :', at("exact256k"), mountpoint);
  const [m1p1, other, root] = await Promise.all([
    inode(at("m1p1")),
    inode(at("exact256k")),
    inode(mountpoint),
  ]);

  const stats = await get<FsStats>(sock, "/api/v1/metrics");
  const files = await get<FilesStats>(sock, FILES);
  const all = Object.values(files);
  expect(files[m1p1].data_read).toBe(4 * (1024 * 1024 + 1));
  expect(files[m1p1].block_count_read).toEqual([4, 0, 0, 0, 64, 0, 0, 0]);
  expect(files[m1p1].fop_hits[READ]).toBe(68);
  expect(files[root].fop_hits[LOOKUP]).toBe(stats.fop_hits[LOOKUP]);
  expect(sum(all.map(({ data_read }) => data_read))).toBe(stats.data_read);
  expect(sum(all.map(({ fop_hits }) => fop_hits[READ]))).toBe(stats.fop_hits[READ]);
  for (const { total_fops, fop_hits, fop_errors } of all)
    expect(sum([...fop_hits, ...fop_errors])).toBe(total_fops);
  expect(stats).toMatchObject({ files_account_enabled: true, access_pattern_enabled: true });

  const pattern = await get<AccessPattern[]>(sock, PATTERN);
  const times = pattern.map((p) => p.first_access_time_secs + p.first_access_time_nanos / 1e9);
  expect(pattern.map(({ ino, path, blob }) => ({ ino, path, blob }))).toEqual([
    { ino: m1p1, path: "/hl_large", blob: "layer.tar" },
    { ino: other, path: "/exact256k", blob: "layer.tar" },
  ]);
  expect(times[0]).toBeGreaterThanOrEqual(before);
  expect(times[1]).toBeGreaterThan(times[0]);
  expect(pattern[0].nr_read).toBe(files[m1p1].fop_hits[READ]);

  const latest = () => get<number[][]>(sock, `${FILES}?latest=true`);
  const inodes = (ranges: number[][]) =>
    ranges.flatMap(([from, to = from]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
  expect(inodes(await latest())).toEqual([other, m1p1].sort((a, b) => a - b));
  expect(await latest()).toEqual([]);
  await ask('dd if="$1" iflag=direct bs=4k count=1 status=none >/dev/null', at("exact256k"));
  expect(await latest()).toEqual([[other]]);

  const shown = async (line: string) => JSON.parse((await ctl(["-S", sock, ...line.split(" ")])).stdout);
  expect(Object.keys(await shown("files --json"))).toContain(`${other}`);
  expect(await shown("pattern --json")).toMatchObject([{ path: "/hl_large" }, { path: "/exact256k" }]);
  expect(await shown("files --latest --json")).toEqual([]);
  expect(await stop()).toBe(0);
});

it("access_pattern and iostats_files of nydusd's configuration switch what is recorded", async () => {
  const config = join(workDir(), "config.json");
  const rafs = { mode: "direct", access_pattern: true };
  writeFileSync(
    config,
    JSON.stringify({ version: 2, backend: { type: "localfs", localfs: { dir: "/" } }, rafs }),
  );
  const { sock, mountpoint, stop } = await startManaged("04-large", "--config", config);
  await ask('cat "$1/exact256k" >/dev/null', mountpoint);
  expect(await get(sock, PATTERN)).toMatchObject([{ path: "/exact256k" }]);
  expect([await get(sock, FILES), await get(sock, `${FILES}?latest=true`)]).toEqual([{}, []]);
  expect(await get(sock, "/api/v1/metrics")).toMatchObject({
    files_account_enabled: false,
    access_pattern_enabled: true,
    record_latest_read_files_enabled: false,
  });
  expect(await get(sock, "/api/v1/daemon")).toMatchObject({
    backend_collection: { "/": { config: { rafs: { access_pattern: true, iostats_files: false } } } },
  });
  expect(await stop()).toBe(0);
});

it("--file-stats is refused without --apisock", () =>
  expect(run(["-B", "x", "-M", "/", "--file-stats"])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--file-stats has no meaning without --apisock"),
  }));
