import { expect, it } from "vitest";
import { HeldFiles } from "../../src/blob/held-files.ts";
import { ErrorRing } from "../../src/daemon/events.ts";
import { ApiBackend } from "../../src/daemon/api-backend.ts";
import { fsStats } from "../../src/daemon/nydusd-metrics.ts";
import { openLog } from "../../src/log/log.ts";
import { countAnswer, countersOf, countRead, newCounters, sumOf } from "../../src/counters/counters.ts";
import { inflight, INFLIGHT, newInflight, inflightRow } from "../../src/counters/inflight.ts";
import { ALL_FILE_RECORDS, NO_FILE_RECORDS } from "../../src/session/file-records.ts";
import { openAndPin } from "../../src/session/pinned-image.ts";
import type { Session } from "../../src/session/transport.ts";
import { get, startManaged } from "../support/api.ts";
import { ask } from "../support/daemon.ts";
import { fixture, placesOf } from "../support/image.ts";

const EIO = 5;
const ENOENT = 2;
const READ = 15;
const LOOKUP = 1;

it("size and latency classes are nydusd's, at both sides of every bound", () => {
  const shared = newCounters(2);
  const [one, two] = [countersOf(shared, 0), countersOf(shared, 1)];
  const us = [
    200,
    201,
    1000,
    1001,
    20_000,
    20_001,
    50_000,
    50_001,
    500_000,
    500_001,
    1e6,
    1e6 + 1,
    2e6,
    2e6 + 1,
  ];
  for (const time of us) {
    one[READ]++;
    countAnswer(one, READ, 0, time);
  }
  for (const kib of [1, 4, 16, 64, 128, 512, 1024])
    for (const bytes of [kib * 1024 - 1, kib * 1024]) countRead(two, bytes);
  two[READ]++;
  countAnswer(two, READ, -EIO, 1);
  two[LOOKUP]++;
  countAnswer(two, LOOKUP, -ENOENT, 7);
  const stats = fsStats("/", sumOf([shared]), NO_FILE_RECORDS);
  expect(stats.read_latency_dist).toEqual([2, 2, 2, 2, 2, 2, 2, 1]);
  expect(stats.block_count_read).toEqual([1, 2, 2, 2, 2, 2, 2, 1]);
  expect(stats.fop_hits).toEqual([0, 0, 0, 0, 14, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
  expect(stats.fop_errors).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(stats.fop_cumulative_latency_total[9]).toBe(7);
});

it("the metrics endpoint counts what was done through a mount", async () => {
  const { sock, mountpoint } = await startManaged();
  await ask('cat "$1/m1p1" >/dev/null; stat "$1/none" 2>/dev/null || :', mountpoint);
  const stats = await get<ReturnType<typeof fsStats>>(sock, "/api/v1/metrics");
  const sum = (all: readonly number[]) => all.reduce((a, b) => a + b, 0);
  expect(stats.data_read).toBe(1024 * 1024 + 1);
  expect(stats.fop_hits[4]).toBe(sum(stats.block_count_read));
  expect(stats.fop_hits[4]).toBe(sum(stats.read_latency_dist));
  expect(stats.fop_hits[9]).toBeGreaterThan(1);
  expect(sum(stats.fop_errors)).toBe(0);
  const backend = await get<Record<string, unknown>>(sock, "/api/v1/metrics/backend");
  expect(backend).toMatchObject({ read_amount_total: stats.data_read, read_count: stats.fop_hits[4] });
});

it("the API shows states, instances and requests in flight", async () => {
  const options = { places: { dirs: ["/b"], files: new Map() } } as unknown as ConstructorParameters<
    typeof ApiBackend
  >[0];
  const log = openLog("error");
  log.setLevel("off");
  const orders = { start: async () => {} } as unknown as ConstructorParameters<typeof ApiBackend>[1];
  const m = new ApiBackend(options, orders, log, { version: "1", commit: "c", time: "t" });
  const wrongState = (event: string) => `DaemonAbnormal(UnexpectedEvent("${event}"))`;
  expect(m.info()).toMatchObject({ state: "INIT", backend_collection: {} });
  await expect(m.start()).rejects.toThrow(wrongState("Start"));
  expect(() => m.exit()).toThrow(wrongState("Exit"));
  expect(() => m.instance(undefined)).toThrow("NoCounter");
  m.ready();
  expect(m.info().state).toBe("READY");
  await m.start();
  const shared = newCounters(1);
  const doing = newInflight(1);
  const { path, devices } = fixture("01-basic");
  const choice = {
    bootstrap: path,
    places: placesOf(devices),
    lenient: false,
    id: "",
    records: ALL_FILE_RECORDS,
    prefetch: undefined,
  };
  const held = new HeldFiles();
  const pinned = openAndPin(choice, held, log);
  const counts = () => sumOf([shared]);
  const shown = {
    path: "/",
    pinned,
    since: new Date(),
    counts,
    instances: [{ slot: 0, pinned, accounts: [] }],
  };
  const session = { counts, inflight: () => inflight(doing), images: () => [shown] };
  m.running(session as unknown as Session, held);
  expect(m.instance("/").fsStats()).toMatchObject({
    files_account_enabled: true,
    access_pattern_enabled: true,
    record_latest_read_files_enabled: true,
  });
  expect(m.info().state).toBe("RUNNING");
  await expect(m.start()).rejects.toThrow(wrongState("Start"));
  expect(m.inflight()).toEqual([]);
  inflightRow(doing, 0).set([READ, 7, 1, 42, 1_700_000_000_900], INFLIGHT.OPCODE);
  const request = { inode: 42, opcode: READ, unique: 2 ** 32 + 7, timestamp_secs: 1_700_000_000 };
  expect(m.inflight()).toEqual([request]);
  log.error("bad");
  log.info("good");
  expect(m.events()).toMatchObject({ total_errors: 1, errors: [expect.stringMatching(/GMT - bad$/)] });
  m.stopped();
  expect(m.info()).toMatchObject({ state: "STOPPED", backend_collection: {} });
  expect(() => m.exit()).toThrow(wrongState("Exit"));
});

it("the events endpoint keeps the last 500, or 51,200 bytes", () => {
  const ring = new ErrorRing();
  for (let i = 0; i < 600; i++) ring.push(`e${i}`);
  expect(ring.all()).toMatchObject({ max_errors: 500, total_errors: 500, max_size: 51_200 });
  expect(ring.all().errors[499]).toMatch(/ - e599$/);
  ring.push("ä".repeat(15_000));
  ring.push("ö".repeat(60_000));
  ring.push("last");
  const { errors, total_size } = ring.all();
  expect(total_size).toBe(Buffer.byteLength(errors.join("")));
  expect(total_size).toBeLessThanOrEqual(51_200);
  expect(errors.at(-1)).toMatch(/ - last$/);
});
