import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { summarizeFile, summaryPaths } from "../../src/trace/summary.ts";
import {
  ask,
  emptyDir,
  isMounted,
  run,
  runMount,
  servedCounts,
  sh,
  start,
  startFixture,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";
import { metric } from "../support/metrics.ts";
import { tarImage } from "../support/tar-image.ts";

const MIB = 1 << 20;
/** 40 files of half a MiB, and what no list should miss. */
const image = tarImage(
  `mkdir d; for i in $(seq -w 40); do head -c 524288 /dev/urandom >d/$i; done
   cp d/07 "$(printf 'tab\\there')"; : >empty; ln -s d/07 link`,
);

/** Drops a tar from the page cache; the tests that ask whether it is there need a file system that can. */
const cool = () =>
  sh('sync "$T"; dd of="$T" oflag=nocache conv=notrunc,fdatasync count=0 2>&1', { T: image.tar });
const cached = () => Number(sh('fincore -bn -o RES "$T"', { T: image.tar }));
const canCool = (() => {
  sh('cat "$T" >/dev/null', { T: image.tar });
  cool();
  return cached() < MIB;
})();
if (!canCool) console.warn("skipped: whether pages are cached, because this file system keeps them");

const prefetched = (output: string) => {
  const found = / prefetched (\d+) files, (\d+) bytes in \d+ ms/.exec(output);
  return found === null ? undefined : { files: Number(found[1]), bytes: Number(found[2]) };
};

describe.each(["direct", "fuse-native"])("%s", (transport) => {
  const serve = (...args: string[]) => start([...image.flags, "--transport", transport, ...args]);

  it("a trace has what was read first, and warms it the next time", async () => {
    const file = join(workDir(), "trace");
    writeFileSync(file, "what was there before ".repeat(1000), { mode: 0o600 });
    const daemon = await serve("--trace", file);
    await ask(
      'cd "$1"; cat d/30 d/02 "$(printf "tab\\there")" >/dev/null; cat d/02 empty link >/dev/null',
      daemon.mountpoint,
    );
    expect(await daemon.stop()).toBe(0);
    expect(daemon.output()).toContain(`trace ${file}: `);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, "latin1");
    expect(text).toContain("\n/tab\\x09here\t0\t");
    const { files, bytes, reads } = summarizeFile(file);
    const paths = files.map(({ path }) => Buffer.from(path).toString());
    expect(paths).toEqual(["/d/30", "/d/02", "/tab\there", "/d/07"]);
    expect(files.map((each) => each.bytes)).toEqual([524288, 524288, 524288, 524288]);
    expect(bytes).toBe(servedCounts(daemon.output())["read_bytes"]);
    expect(reads).toBe(servedCounts(daemon.output())["read"]);

    cool();
    const again = await serve("--prefetch-files", file, "--metrics-address", "0");
    await until(() => prefetched(again.output()) !== undefined, "the end of warming");
    expect(prefetched(again.output())?.files).toBe(4);
    expect(prefetched(again.output())?.bytes).toBeGreaterThanOrEqual(bytes);
    if (canCool) expect(cached()).toBeGreaterThanOrEqual(bytes);
    expect(await metric(again, "tarfs_prefetch_files_total")).toBe(4);
    expect(await metric(again, "tarfs_prefetch_bytes_total")).toBeGreaterThanOrEqual(bytes);
    expect(await metric(again, "tarfs_prefetch_running")).toBe(0);
    expect(await ask('cd "$1"; sha256sum d/*', again.mountpoint)).toBe(
      await ask('cd "$1"; sha256sum d/*', image.source),
    );
    expect(await again.stop()).toBe(0);
  });

  it("unmounting ends a prefetch under way", async () => {
    const dir = workDir();
    const [list, tar, boot] = ["list", "tar", "boot"].map((name) => join(dir, name));
    writeFileSync(list, "/\n");
    // Two GiB at a MiB a second are half an hour. They are no hole to a reader of the tar, but take no room.
    sh(
      `cd "$D"; truncate -s 2G big; { tar --format=ustar -cf - big || true; } | head -c 512 >tar
       truncate -s $((512 + (2 << 30) + 1024)) tar; mkfs.erofs --quiet --tar=i boot tar`,
      { D: dir },
    );
    const flags = ["--bootstrap", boot, "--blob", `1=${tar}`, "--transport", transport];
    const daemon = await start([...flags, "--prefetch-files", list, "--prefetch-rate", "1"]);
    expect(await daemon.stop()).toBe(0);
    expect(prefetched(daemon.output())?.bytes ?? 0).toBeLessThan(2 ** 31);
    expect(isMounted(daemon.mountpoint)).toBe(false);
  });
});

it("--trace turns readahead by NOTIFY_STORE off, which would hide reads", async () => {
  const file = join(workDir(), "trace");
  const daemon = await start([...image.flags, "--trace", file]);
  await ask('cd "$1"; ls -lR >/dev/null; for i in 1 2 3 4; do cat d/* >/dev/null; done', daemon.mountpoint);
  expect(await daemon.stop()).toBe(0);
  expect(summarizeFile(file).files.length).toBe(40);
});

it("--trace may overwrite the list of --prefetch-files", async () => {
  const file = join(workDir(), "trace");
  const first = await start([...image.flags, "--trace", file]);
  await ask('cat "$1"/d/03 "$1"/d/01 >/dev/null', first.mountpoint);
  expect(await first.stop()).toBe(0);
  const second = await start([...image.flags, "--trace", file, "--prefetch-files", file]);
  await ask('cat "$1"/d/09 >/dev/null', second.mountpoint);
  await until(() => prefetched(second.output()) !== undefined, "the end of warming");
  expect(await second.stop()).toBe(0);
  expect(prefetched(second.output())?.files).toBe(2);
  expect(summaryPaths(summarizeFile(file)).toString()).toBe("/d/09\n");
});

it("a trace that cannot be written ends the daemon before anything is mounted", () => {
  const { status, stderr, isMounted, processes } = runMount([...image.flags, "--trace", "/nowhere/trace"]);
  expect({ status, isMounted, processes }).toEqual({ status: 1, isMounted: false, processes: [] });
  expect(stderr).toContain("Error: trace /nowhere/trace: ENOENT");
});

describe("a list", () => {
  it.each([
    ["/a\nb\n", 'line 2: "b" is no absolute path'],
    ["\x7fELF\x02\x01\x00/a\n", 'line 1: "\\x7fELF\\x02\\x01\\x00/a" is no absolute path'],
    ["# nydusd-ts trace 1\n/a\n", "line 1 is not"],
  ])("%j stops it before anything is mounted", (text, want) => {
    const list = join(workDir(), "list");
    writeFileSync(list, text);
    const { status, stderr, isMounted, processes } = runMount([...image.flags, "--prefetch-files", list]);
    expect({ status, isMounted, processes }).toEqual({ status: 1, isMounted: false, processes: [] });
    expect(stderr).toContain(want);
  });

  it("of a million lines, most of which name nothing, is read", async () => {
    const list = join(workDir(), "list");
    writeFileSync(list, `${"/\n/d\n/d/01\n/no\n".repeat(250_000)}/d/../../d/./02\n`);
    const daemon = await start([...image.flags, "--prefetch-files", list]);
    await until(() => prefetched(daemon.output()) !== undefined, "the end of warming");
    expect(prefetched(daemon.output())?.files).toBe(41);
    expect(daemon.output()).toContain("WARN prefetch list: 250000 of its lines name no file of the image");
    expect(await daemon.stop()).toBe(0);
  });

  it("is bounded in memory", async () => {
    const list = join(workDir(), "list");
    writeFileSync(list, "/d\n");
    const daemon = await start([...image.flags, "--prefetch-files", list, "--prefetch-memory", "3"]);
    await until(() => prefetched(daemon.output()) !== undefined, "the end of warming");
    expect(prefetched(daemon.output())?.bytes).toBe(3 * MIB);
    expect(await daemon.stop()).toBe(0);
  });

  it("is what a summary of a trace prints", async () => {
    const trace = join(workDir(), "trace");
    const daemon = await start([...image.flags, "--trace", trace]);
    await ask('cat "$1"/d/03 "$1"/d/01 >/dev/null', daemon.mountpoint);
    expect(await daemon.stop()).toBe(0);
    const summarize = (...flags: string[]) => run(["trace", "summarize", trace, ...flags]);
    expect(summarize("--paths")).toEqual({ status: 0, stdout: "/d/03\n/d/01\n", stderr: "" });
    expect(summarize("--paths").stdout).toBe(summaryPaths(summarizeFile(trace)).toString());
    expect(JSON.parse(summarize("--json").stdout)).toMatchObject({
      bytes: MIB,
      files: [{ path: "/d/03" }, {}],
    });
    expect(summarize().stdout).toMatch(/^\d+ first reads, 1048576 bytes of 2 files within /);
    expect(run(["trace", "summarize", image.boot])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`Error: trace ${image.boot}: line 1 is not`),
    });
  });
});

describe("the table of an image", () => {
  const regular = fixture("07-prefetch").entries.filter(
    ({ mode, size }) => mode.startsWith("010") && size > 0,
  );
  const listed = new Set(
    regular.filter(({ path }) => path?.startsWith("/etc/") || path === "/bin/sh").map(({ ino }) => ino),
  );
  const config = (text: string) => {
    const file = join(workDir(), "config.json");
    writeFileSync(file, text);
    return ["-C", file];
  };
  const v1 = (fsPrefetch: object) =>
    config(
      JSON.stringify({
        device: { backend: { type: "localfs", config: { dir: "/" } }, cache: {} },
        ...{ mode: "direct", fs_prefetch: fsPrefetch },
      }),
    );

  it.each<[name: string, flags: () => string[], files: number | undefined]>([
    ["is used", () => [], listed.size],
    ["is not used with --prefetch off", () => ["--prefetch", "off"], undefined],
    ["is not used when the configuration says so", () => v1({ enable: false }), undefined],
    ["is used when the configuration says so", () => v1({ enable: true, prefetch_all: false }), listed.size],
    ["comes before everything", () => v1({ enable: true }), new Set(regular.map(({ ino }) => ino)).size],
  ])("%s", async (_, flags, files) => {
    expect(listed.size).toBeGreaterThan(0);
    const daemon = await startFixture("07-prefetch", flags());
    if (files !== undefined)
      await until(() => prefetched(daemon.output()) !== undefined, "the end of warming");
    expect(await daemon.stop()).toBe(0);
    expect(prefetched(daemon.output())?.files).toBe(files);
  });
});

describe.each(KERNEL_DRIVERS)("--driver %s", (driver) => {
  it("warms after it has mounted, then ends", () => {
    const list = join(workDir(), "list");
    writeFileSync(list, "/d/05\n/d/06\n");
    cool();
    const mountpoint = emptyDir();
    const args = ["mount", image.boot, mountpoint, "--blob", `1=${image.tar}`, "--driver", driver];
    const { status, stdout, stderr } = run([...args, "--prefetch-files", list]);
    expect(status).toBe(0);
    expect(stdout).toContain("driver=erofs");
    expect(prefetched(stderr)?.files).toBe(2);
    if (canCool) expect(cached()).toBeGreaterThanOrEqual(MIB);
    expect(run(["umount", mountpoint]).status).toBe(0);
  });
});
