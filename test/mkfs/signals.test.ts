import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { COMMAND as DAEMON } from "../support/daemon.ts";
import { generator, scratchDir } from "../support/image.ts";
import { END, entry } from "../tar/emit.ts";

const COMMAND = join(dirname(DAEMON), "nydus-image-ts.js");
/** So many that reading, sorting and writing them take seconds. */
const ENTRIES = 400_000;

/** A tar of empty files in an order that nobody likes. */
function manyFiles(): Uint8Array {
  const random = generator(1);
  const numbers = Array.from({ length: ENTRIES }, (_, i) => i);
  for (let i = ENTRIES - 1; i > 0; i--) {
    const j = random(i + 1);
    [numbers[i], numbers[j]] = [numbers[j], numbers[i]];
  }
  const zero = Buffer.from(entry({ name: "d/000000" }));
  const sum = Number.parseInt(zero.toString("latin1", 148, 154), 8);
  const tar = Buffer.alloc(512 * ENTRIES + END.length);
  for (const [i, number] of numbers.entries()) {
    const digits = String(number).padStart(6, "0");
    zero.copy(tar, 512 * i);
    tar.write(digits, 512 * i + 2, "latin1");
    const more = [...digits].reduce((all, digit) => all + Number(digit), 0);
    tar.write((sum + more).toString(8).padStart(6, "0"), 512 * i + 148, "latin1");
  }
  return tar;
}

const layer = join(scratchDir(), "layer.tar.gz");
const { length } = (() => {
  const tar = manyFiles();
  writeFileSync(layer, gzipSync(tar, { level: 1 }));
  return tar;
})();

/** How much of the tar is there. */
const stored = (dir: string): number =>
  Math.max(
    0,
    ...readdirSync(dir).map((name) => statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0),
  );

const moments: [name: string, isThen: (size: number) => boolean, ms: number][] = [
  ["while it is decompressed", (size) => size > 0, 0],
  ["while it is read", (size) => size === length, 0],
  ["while it is planned", (size) => size === length, 1000],
];
it.each(moments)("create ends by SIGTERM %s, and leaves nothing behind", async (_, isThen, ms) => {
  const dir = join(scratchDir(), "out");
  mkdirSync(dir);
  const create = spawn(process.execPath, [COMMAND, "create", "-B", join(dir, "x.boot"), "-D", dir, layer]);
  const ended = once(create, "exit");
  while (!isThen(stored(dir)) && create.exitCode === null) await setTimeout(5);
  await setTimeout(ms);
  create.kill("SIGTERM");
  expect(await ended).toEqual([null, "SIGTERM"]);
  // Another process removes what it could not.
  for (let i = 0; i < 100 && readdirSync(dir).length > 0; i++) await setTimeout(50);
  expect(readdirSync(dir)).toEqual([]);
});
