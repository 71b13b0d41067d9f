import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { emptyDir, launch, run, sh, start } from "../support/daemon.ts";
import { generator, scratchDir } from "../support/image.ts";
import { often } from "../support/often.ts";

const IMAGE_TS = fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url));
const KILLS = often("NYDUSD_TS_BUILD_KILLS", 6, 20);

/** Two layers with much metadata and some data, compressed, and one that a bootstrap was made of before. */
const LAYERS = `mkdir a b; seq -f a/name-%06.0f 3000 | xargs touch; seq -f b/name-%06.0f 1000 4000 | xargs touch
  head -c 4000000 /dev/urandom >a/data; echo old >old; export LC_ALL=C
  tar --sort=name -czf a.tar.gz a; tar --sort=name -czf b.tar.gz b; tar -cf old.tar old
  for n in a b; do node "$I" create -B $n.boot -D blobs --blob-id $n $n.tar.gz; done >/dev/null`;

interface Row {
  readonly name: string;
  /** In the directory; without the program. */
  readonly words: (dir: string) => string[];
  /** Files that it makes, which must be as they were, or as they will be. */
  readonly made: readonly string[];
}

const rows: Row[] = [
  {
    name: "create",
    words: (dir) => [
      "create",
      "-B",
      join(dir, "out/x.boot"),
      "-D",
      join(dir, "out"),
      join(dir, "a.tar.gz"),
      join(dir, "b.tar.gz"),
    ],
    made: ["x.boot"],
  },
  {
    name: "merge",
    words: (dir) => ["merge", "-B", join(dir, "out/x.boot"), join(dir, "a.boot"), join(dir, "b.boot")],
    made: ["x.boot"],
  },
];

let dir: string;
beforeAll(() => {
  dir = scratchDir();
  sh(`cd "$D"; mkdir blobs; ${LAYERS}`, { D: dir, I: IMAGE_TS });
});

describe(`kill -9 at ${KILLS} random times`, () => {
  it.each(rows)(
    "$name: the old file or the new one, and the next run leaves nothing else",
    async ({ name, words, made }) => {
      const out = join(dir, "out");
      sh('rm -rf "$O"; mkdir "$O"', { O: out });
      const command = [IMAGE_TS, ...words(dir)];
      const build = () => execFileSync(process.execPath, command);
      build();
      const started = performance.now();
      build();
      let ms = performance.now() - started;
      const left = readdirSync(out).sort();
      const right = new Map(left.map((file) => [file, readFileSync(join(out, file))]));
      const old = () =>
        sh('cd "$O"; rm -rf .[!.]* *; for f in $F; do echo old >$f; done', { O: out, F: made.join(" ") });
      const random = generator(made.length + name.length);
      old();
      let littered = 0;
      let killed = 0;
      let tries = 0;
      for (; killed < KILLS && tries < 4 * KILLS; tries++) {
        const child = launch(process.execPath, command);
        const ended = new Promise((resolve) => child.once("close", resolve));
        await sleep(random(Math.ceil(1.1 * ms)));
        if (child.exitCode === null) killed++;
        else ms *= 0.9; // the machine is less busy than when it was measured
        child.kill("SIGKILL");
        await ended;
        const there = readdirSync(out);
        if (there.some((file) => file.endsWith(".tmp"))) littered++;
        for (const file of there.filter((each) => !each.endsWith(".tmp"))) {
          const bytes = readFileSync(join(out, file));
          const isOld = made.includes(file) && bytes.toString() === "old\n";
          expect(isOld || right.get(file)?.equals(bytes), `${file} of ${bytes.length} bytes`).toBe(true);
        }
        if (random(3) === 0) old();
      }
      console.log(`${name}: ${killed} killed of ${tries}, ${littered} times something was left`);
      expect(killed).toBe(KILLS);
      build();
      expect(readdirSync(out).sort()).toEqual(left);
      for (const [file, bytes] of right) expect(readFileSync(join(out, file)).equals(bytes)).toBe(true);
    },
  );

  it("mount, filling a cache: the next one mounts", async () => {
    const mnt = emptyDir();
    const layers = ["a", "b"].map((layer) => join(dir, `${layer}.tar.gz`));
    const cache = join(dir, "cache");
    const random = generator(7);
    const words = ["mount", "--foreground", "--driver", "fuse", "--cache-dir", cache, ...layers];
    for (let i = 0; i < KILLS / 2; i++) {
      const child = launch(process.execPath, [
        IMAGE_TS.replace("nydus-image-ts", "nydusd-ts"),
        ...words,
        mnt,
      ]);
      const ended = new Promise((resolve) => child.once("close", resolve));
      await sleep(random(900));
      child.kill("SIGKILL");
      await ended;
    }
    const daemon = await start([], mnt, words);
    expect(
      sh('cd "$M"; ls a b | sort -u | wc -l; cmp a/data "$D/a/data"', { M: daemon.mountpoint, D: dir }),
    ).toBe("4004\n");
    expect(await daemon.stop()).toBe(0);
    expect(run(["cache", "ls", "--cache-dir", cache]).status).toBe(0);
    const names = readdirSync(cache, { recursive: true, encoding: "utf8" });
    expect(names.filter((file) => file.endsWith(".tmp"))).toEqual([]);
  });
});
