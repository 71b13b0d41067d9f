import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { LogFile } from "../../src/log/log-file.ts";
import { sh, until, workDir } from "../support/daemon.ts";

const NAME = "d.log";
const open: LogFile[] = [];
afterEach(() => {
  for (const file of open.splice(0)) file.close();
});

/** A log in a directory, and what it complains of. */
function openIn(dir: string, limit: number) {
  const said: string[] = [];
  const file = new LogFile(join(dir, NAME), limit, (problem) => said.push(problem));
  open.push(file);
  return { file, said };
}

/** All but the log itself, the oldest first. */
const rotated = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name.startsWith("d_r"))
    .sort();
const areCompressed = (dir: string) => rotated(dir).every((name) => name.endsWith(".log.gz"));
const settled = (dir: string) => until(() => areCompressed(dir), "the compression");

/** Whatever is left of a log, in the order it was written. */
const everything = (dir: string): string =>
  rotated(dir)
    .map((name) => gunzipSync(readFileSync(join(dir, name))).toString())
    .join("") + readFileSync(join(dir, NAME), "utf8");

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `line ${String(from + i).padStart(6, "0")}\n`);

describe("a file that is full", () => {
  it("is put aside, compressed, and no line is lost", async () => {
    const dir = workDir();
    const { file, said } = openIn(dir, 4096);
    const lines = numbered(0, 2500); // 12 bytes each
    for (const line of lines) file.write(line);
    await settled(dir);
    expect(rotated(dir).length).toBe(7);
    expect(rotated(dir)[0]).toMatch(/^d_r20\d\d-\d\d-\d\d_\d\d-\d\d-\d\d\.log\.gz$/);
    expect(everything(dir)).toBe(lines.join(""));
    for (const name of rotated(dir)) expect(gunzipSync(readFileSync(join(dir, name))).length).toBe(4092);
    expect(said).toEqual([]);
  });

  it("is the eleventh: the oldest goes, and nothing else", async () => {
    const dir = workDir();
    const others = ["d_r2020.log.gz", "d_rCURRENT.log", "e_r2020-01-01_00-00-00.log.gz", "d_r.log"];
    for (const name of others) writeFileSync(join(dir, name), "other");
    writeFileSync(join(dir, "d_r2020-01-01_00-00-00.log.gz"), gzipSync("old"));
    writeFileSync(join(dir, "d_r2020-01-02_00-00-00.log"), "left by a crash");
    writeFileSync(join(dir, "d_r2020-01-02_00-00-00.log.gz.a1.part"), "half");
    const { file } = openIn(dir, 120);
    const own = () => rotated(dir).filter((name) => !others.includes(name));
    for (const line of numbered(0, 11)) file.write(line);
    const left = join(dir, "d_r2020-01-02_00-00-00.log");
    await until(() => !existsSync(left) && own().length === 4, "the first");
    expect(gunzipSync(readFileSync(`${left}.gz`)).toString()).toBe("left by a crash");
    for (const line of numbered(11, 305)) file.write(line);
    await until(() => own().length === 10 && own().every((name) => name.endsWith(".gz")), "the last");
    for (const name of others) expect(readFileSync(join(dir, name), "utf8")).toBe("other");
    for (const name of others) rmSync(join(dir, name));
    expect(everything(dir)).toBe(numbered(200, 305).join(""));
  });

  it("takes a line that is longer than a file may be whole, and never lies empty aside", async () => {
    const dir = workDir();
    const { file } = openIn(dir, 10);
    const long = `${"x".repeat(100_000)}\n`;
    for (const line of [long, "b\n", long]) file.write(line);
    await settled(dir);
    expect([rotated(dir).length, everything(dir)]).toEqual([2, `${long}b\n${long}`]);
  });

  it("is full from the start when it was left so", async () => {
    const dir = workDir();
    writeFileSync(join(dir, NAME), "before\n");
    openIn(dir, 8).file.write("after\n");
    await settled(dir);
    expect([rotated(dir).length, everything(dir)]).toEqual([1, "before\nafter\n"]);
  });

  it("is put aside by one of two who write to it, and the other one notices", async () => {
    const dir = workDir();
    const [a, b] = [openIn(dir, 12_000), openIn(dir, 12_000)];
    const lines = numbered(0, 5000);
    for (const [i, line] of lines.entries()) {
      (i % 3 === 0 ? a : b).file.write(line);
      if (i % 100 === 0) await new Promise(setImmediate);
    }
    await settled(dir);
    expect(everything(dir)).toBe(lines.join(""));
    expect([a.said, b.said]).toEqual([[], []]);
  });

  it("is what a link leads to", async () => {
    const dir = workDir();
    mkdirSync(join(dir, "real"));
    symlinkSync(join("real", NAME), join(dir, NAME));
    const { file } = openIn(dir, 12);
    for (const line of numbered(0, 3)) file.write(line);
    await settled(join(dir, "real"));
    expect([rotated(dir), rotated(join(dir, "real")).length]).toEqual([[], 2]);
    expect(everything(join(dir, "real"))).toBe(numbered(0, 3).join(""));
  });
});

describe("somebody else", () => {
  const NEVER = Number.POSITIVE_INFINITY;
  it.each<[name: string, change: (path: string) => void, left: string]>([
    ["copies and truncates", (path) => copyFileSync(path, `${path}.1`), "a\n"],
    ["moves it away", (path) => renameSync(path, `${path}.1`), "a\n"],
    [
      "moves it away and makes another",
      (path) => {
        renameSync(path, `${path}.1`);
        writeFileSync(path, "made\n");
      },
      "a\n",
    ],
  ])("%s, and the log goes on in the file of that name", (what, change, left) => {
    const dir = workDir();
    const path = join(dir, NAME);
    const { file, said } = openIn(dir, NEVER);
    file.write("a\n");
    change(path);
    if (what.startsWith("copies")) truncateSync(path);
    file.write("b\n");
    const made = what.endsWith("another") ? "made\n" : "";
    expect([readFileSync(`${path}.1`, "utf8"), readFileSync(path, "utf8"), said]).toEqual([
      left,
      `${made}b\n`,
      [],
    ]);
  });

  it("takes the directory away: said once, and nothing fails", () => {
    const dir = join(workDir(), "logs");
    mkdirSync(dir);
    const { file, said } = openIn(dir, NEVER);
    rmSync(dir, { recursive: true });
    for (let i = 0; i < 3; i++) file.write("a\n");
    expect(said).toEqual([
      `log file ${join(dir, NAME)}: ENOENT: no such file or directory, open '${join(dir, NAME)}'`,
    ]);
  });

  it("mounts over the directory: the log stays where it was", () => {
    const dir = workDir();
    const { file } = openIn(dir, NEVER);
    file.write("a\n");
    sh('mount -t tmpfs none "$D"', { D: dir });
    file.write("b\n");
    expect(readdirSync(dir)).toEqual([]);
    sh('umount "$D"', { D: dir });
    expect(readFileSync(join(dir, NAME), "utf8")).toBe("a\nb\n");
  });
});

describe("a full disk", () => {
  const disk = (options: string) => {
    const dir = workDir();
    sh(`mount -t tmpfs -o ${options} none "$D"`, { D: dir });
    return dir;
  };

  it("loses lines, not their order or their ends, and the log goes on when there is room", () => {
    const dir = disk("size=16k");
    const { file } = openIn(dir, Number.POSITIVE_INFINITY);
    for (const line of numbered(0, 3000)) file.write(line); // more than twice of what fits
    const full = readFileSync(join(dir, NAME), "utf8");
    expect(full.length).toBe(16_384);
    sh('mount -o remount,size=32k "$D"', { D: dir });
    file.write("after\n");
    const more = readFileSync(join(dir, NAME), "utf8");
    expect(more).toBe(`${numbered(0, 3000).join("").slice(0, 16_384)}\nafter\n`);
  });

  it("keeps what cannot be compressed, says so once, and does it when there is room", async () => {
    const dir = disk("size=64k");
    const { file, said } = openIn(dir, 12_000);
    sh('head -c 1M /dev/urandom >"$D/filler" 2>/dev/null || true; truncate -s 36k "$D/filler"', { D: dir });
    // 24,000 bytes: the first file, the second, and no room for the first one's .gz.
    const lines = Array.from({ length: 1200 }, (_, i) => `${i + 1000} ${randomBytes(7).toString("hex")}\n`);
    for (const line of lines) file.write(line);
    await until(() => said.length > 0, "the complaint");
    expect(said).toEqual([expect.stringMatching(/^log file .*: ENOSPC: no space left on device, write/)]);
    expect(rotated(dir)).toEqual([expect.stringMatching(/\.log$/)]);
    rmSync(join(dir, "filler"));
    file.write("x".repeat(12_000));
    await settled(dir);
    expect(everything(dir)).toBe(`${lines.join("")}${"x".repeat(12_000)}`);
    expect(said.length).toBe(1);
  });

  it("that has no room for another file goes on in the one there is", () => {
    const dir = disk("size=1m,nr_inodes=2"); // the root, and the log
    const { file, said } = openIn(dir, 100);
    const lines = numbered(0, 50);
    for (const line of lines) file.write(line);
    expect(said).toEqual([
      expect.stringMatching(/^log file .*d\.log: ENOSPC: no space left on device, open /),
    ]);
    expect(readdirSync(dir)).toEqual([NAME]);
    expect(everything(dir)).toBe(lines.join(""));
  });
});
