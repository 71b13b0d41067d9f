import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { ask, until } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { often } from "../support/often.ts";
import { startReader } from "../support/readers.ts";
import {
  isFreed,
  must,
  type Resources,
  resourcesOf,
  startEmpty,
  type Versions,
  version,
  versions,
} from "../support/submounts.ts";

/** `NYDUSD_TS_SECONDS=600 NYDUSD_TS_SEED=7 npx vitest run …` for longer, or again. */
const SECONDS = often("NYDUSD_TS_SECONDS", 5, 20);
const SEED = Number(process.env["NYDUSD_TS_SEED"] ?? 1);
const CYCLES = often("NYDUSD_TS_CYCLES", 150, 1000);
/** A worker and a pusher may join at any time; each has descriptors of its own. */
const MOST_MORE_THREADS = 2;
const MOST_MORE_FDS = 6 * MOST_MORE_THREADS;
/** Memory that allocators and collectors keep for later. */
const MOST_MORE_MIB = 32;

/** Files that are the same in all versions, that change, that come and that go; contents are made of their names. */
const FILES = "for i in $(seq 40); do mkdir -p d$((i % 5)); seq $((i * 997)) >d$((i % 5))/f$i; done";
const layer = (n: number) =>
  `for i in $(seq ${n} 3 40); do mkdir -p d$((i % 5)); echo layer ${n} of $i | cat - <(seq $((i * 500))) >d$((i % 5))/f$i; done
   mkdir -p d${n}/new; seq 9${n} >d${n}/new/file; : >d4/.wh.f$((4 + 5 * ${n})) 2>/dev/null || { mkdir -p d4; : >d4/.wh.f$((4 + 5 * ${n})); }`;

/** Numbers from a seed: mulberry32. */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Every content that each path may have, in a file for readers. */
function contentsOf({ dir }: Versions): string {
  const known: Record<string, string[]> = {};
  const add = (tree: string, path: string): void => {
    for (const name of readdirSync(path)) {
      const at = join(path, name);
      if (statSync(at).isDirectory()) add(tree, at);
      else if (!name.startsWith(".wh.")) {
        const digest = createHash("sha256").update(readFileSync(at)).digest("hex");
        known[relative(tree, at)] = [...(known[relative(tree, at)] ?? []), digest];
      }
    }
  };
  for (const name of readdirSync(dir).filter((each) => each.startsWith("tree")))
    add(join(dir, name), join(dir, name));
  const file = join(scratchDir(), "known.json");
  writeFileSync(file, JSON.stringify(known));
  return file;
}

it(`mounts, unmounts, remounts and readers for ${SECONDS} s, seed ${SEED}: right bytes, and nothing is left`, {
  timeout: SECONDS * 1000 + 120_000,
}, async () => {
  const image = await versions(FILES, layer(1), layer(2), layer(3));
  const daemon = await startEmpty("--thread-num", "3");
  const { sock } = daemon;
  const known = contentsOf(image);
  const readers = Array.from({ length: 4 }, (_, i) => startReader(daemon, SEED * 100 + i, known));
  const rng = random(SEED);
  const shown = new Map<string, number>();
  const done = { POST: 0, PUT: 0, DELETE: 0 };
  const paths = ["/a", "/b", "/c", "/d"];
  const step = async (path: string): Promise<void> => {
    const next = Math.floor(rng() * image.boots.length);
    const method = !shown.has(path) ? "POST" : rng() < 0.6 ? "PUT" : "DELETE";
    if (method === "DELETE") shown.delete(path);
    else shown.set(path, next);
    done[method]++;
    await must(sock, `${method} ${path}`, method === "DELETE" ? undefined : version(image, next));
  };
  let early: Resources | undefined;
  const end = Date.now() + SECONDS * 1000;
  while (Date.now() < end) {
    await Promise.all(paths.filter(() => rng() < 0.5).map(step));
    await sleep(rng() * 20);
    if (early === undefined && Date.now() > end - SECONDS * 500) early = resourcesOf(daemon.pid);
  }
  const counts = [];
  for (const reader of readers) counts.push(await reader.end());
  for (const path of shown.keys()) await must(sock, `DELETE ${path}`);
  await isFreed(daemon, image);
  const after = resourcesOf(daemon.pid);
  console.log(JSON.stringify({ done, counts, early, after }));
  for (const count of counts)
    expect(count).toMatchObject({ read: expect.any(Number), again: expect.any(Number) });
  expect(counts.every(({ read, again }) => read > 20 && again > 5)).toBe(true);
  expect(after.rssMb - (early?.rssMb ?? 0)).toBeLessThan(MOST_MORE_MIB);
  expect(after.fds).toBeLessThanOrEqual((early?.fds ?? 0) + MOST_MORE_FDS);
  expect(after.threads).toBeLessThanOrEqual((early?.threads ?? 0) + MOST_MORE_THREADS);
  expect(await daemon.stop()).toBe(0);
});

it(`${CYCLES} images come and go while another is read: no file, thread or memory is left`, {
  timeout: 900_000,
}, async () => {
  const image = await versions(FILES);
  const other = await versions("seq 300000 >big; echo 1 >f");
  const daemon = await startEmpty();
  const { sock, mountpoint, pid } = daemon;
  await must(sock, "POST /stays", other);
  const known = contentsOf(other);
  const reader = startReader(daemon, 1, known);
  const cycle = async (i: number): Promise<void> => {
    await must(sock, `POST /x/${i % 7}`, image);
    if (i % 3 === 0) await ask('cat "$1/d1/f1" "$1/d2/f2" | wc -c', join(mountpoint, `x/${i % 7}`));
    await must(sock, `DELETE /x/${i % 7}`);
  };
  for (let i = 0; i < 100; i++) await cycle(i);
  const before = resourcesOf(pid);
  for (let i = 0; i < CYCLES; i++) await cycle(i);
  const counts = await reader.end();
  await isFreed(daemon, image);
  await until(() => resourcesOf(pid).fds <= before.fds + MOST_MORE_FDS, `${before.fds} open files`);
  const after = resourcesOf(pid);
  console.log(JSON.stringify({ before, after, counts }));
  expect(after.rssMb - before.rssMb).toBeLessThan(MOST_MORE_MIB);
  expect(after.threads).toBeLessThanOrEqual(before.threads + MOST_MORE_THREADS);
});
