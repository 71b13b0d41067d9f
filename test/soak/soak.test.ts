import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { say } from "../support/api.ts";
import { ask } from "../support/daemon.ts";
import { generator, scratchDir } from "../support/image.ts";
import { isBack } from "../support/leftovers.ts";
import { often } from "../support/often.ts";
import { slope } from "../support/slope.ts";
import { KINDS, soak } from "../support/soaker.ts";
import { must, resourcesOf, startEmpty, version, versions } from "../support/submounts.ts";

/** `npm run soak` is 600 s; NYDUSD_TS_SOAK and NYDUSD_TS_SEED say otherwise. */
const SECONDS = often("NYDUSD_TS_SOAK", 8, 60);
const SEED = Number(process.env["NYDUSD_TS_SEED"] ?? 1);

const STABLE = `mkdir d; for i in $(seq 400); do seq $((i * 37 % 3000)) >d/f$i; done; : >empty
  for i in 1 2 3 4; do head -c 6000000 /dev/urandom >big$i; done`;
const CHURN = ["seq 1000 >f; mkdir d; seq 99 >d/g", "seq 2000 >f; mkdir -p d; seq 88 >d/h"];

/** Of the API, and what it may answer: nothing may be in flight. */
const QUESTIONS: readonly (readonly [line: string, statuses: readonly number[]])[] = [
  ["GET /api/v1/daemon", [200]],
  ["GET /api/v1/metrics/inflight", [200, 204]],
  ["GET /none", [404]],
];

function sumsOf(tree: string): string {
  const files = readdirSync(tree, { recursive: true, encoding: "utf8" }).map((name) => join(tree, name));
  const known = Object.fromEntries(
    files
      .filter((path) => statSync(path).isFile())
      .map((path) => [
        relative(tree, path),
        { sha256: createHash("sha256").update(readFileSync(path)).digest("hex"), size: statSync(path).size },
      ]),
  );
  const file = join(scratchDir(), "known.json");
  writeFileSync(file, JSON.stringify(known));
  return file;
}

/** Counters of a scrape: whatever never falls. */
function countersOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => /^[a-z_]+(_total|_bucket|_count|_sum)[{ ]/.test(line));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}

it(`mixed load for ${SECONDS} s, seed ${SEED}: no wrong byte, no error, and nothing grows`, {
  timeout: SECONDS * 1000 + 180_000,
}, async () => {
  const image = await versions(STABLE);
  const churn = await versions(...CHURN);
  const daemon = await startEmpty("--thread-num", "4", "--metrics-address", "127.0.0.1:0");
  const { sock, mountpoint, pid } = daemon;
  const metrics = `http://${/metrics=(\S+)/.exec(daemon.output())?.[1]}/metrics`;
  await must(sock, "POST /stable", image);
  const root = join(mountpoint, "stable");
  await ask('cat "$1"/d/* >/dev/null', root);
  const before = resourcesOf(pid);
  const known = sumsOf(join(image.dir, "tree0"));
  const ends = KINDS.map((kind, i) => soak(daemon, kind, SEED * 100 + i, root, known));
  const random = generator(SEED);
  const end = performance.now() + SECONDS * 1000;
  let changes = 0;
  const churning = (async () => {
    const shown = new Set<string>();
    while (performance.now() < end) {
      const path = `/x${random(4)}`;
      const method = !shown.has(path) ? "POST" : random(2) === 0 ? "PUT" : "DELETE";
      await must(sock, `${method} ${path}`, method === "DELETE" ? undefined : version(churn, random(2)));
      if (method === "DELETE") shown.delete(path);
      else shown.add(path);
      if (method !== "DELETE") await ask('cat "$1/f" >/dev/null', join(mountpoint, path));
      changes++;
      await sleep(random(200));
    }
    for (const path of shown) await must(sock, `DELETE ${path}`);
  })();
  let asked = 0;
  const flooding = (async () => {
    for (; performance.now() < end; asked++) {
      const [line, wanted] = QUESTIONS[asked % QUESTIONS.length];
      expect(wanted, line).toContain((await say(sock, line)).status);
      await sleep(20);
    }
  })();
  const rss: [minute: number, mb: number][] = [];
  let last = new Map<string, number>();
  let text = "";
  for (let second = 0; performance.now() < end; second++) {
    await sleep(1000);
    const now = resourcesOf(pid);
    rss.push([second / 60, now.rssMb]);
    text = await (await fetch(metrics)).text();
    const next = countersOf(text);
    // Images that come and go take their series with them: what stays may only grow.
    for (const [name, value] of next) {
      if (name.includes("/x")) continue;
      expect(value, name).toBeGreaterThanOrEqual(last.get(name) ?? 0);
    }
    last = next;
  }
  await Promise.all([churning, flooding]);
  const done = [];
  for (const stop of ends) done.push(await stop());
  const promtool = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  if (promtool.error !== undefined) console.warn("skipped: promtool, because it is not there");
  else expect(promtool.stdout + promtool.stderr).toBe("");
  const perMinute = slope(rss.slice(rss.length >> 1));
  const after = await isBack(pid, before, { threads: 4, fds: 24, rssMb: 160 });
  console.log(JSON.stringify({ done, changes, asked, before, after }));
  console.log(`memory: ${perMinute.toFixed(2)} MB per minute over the second half of ${SECONDS} s`);
  expect(done.every(({ times }) => times > 0)).toBe(true);
  expect(last.size).toBeGreaterThan(50);
  expect(daemon.output()).not.toMatch(/WARN|ERROR/);
  expect(await daemon.stop()).toBe(0);
});
