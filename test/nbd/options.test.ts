import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { run, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { LAYERS, ociDir, sha256 } from "../source/images.ts";
import { RawClient } from "./client.ts";
import { serveNbd } from "./served.ts";

const IMAGE = fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url));
const MERGED = fixture("12-merged");
const sizeOf = (uri: string) =>
  Number(spawnSync("nbdinfo", ["--size", uri], { encoding: "utf8", timeout: 60_000 }).stdout);
/** The disk that clients of a socket see, in a file. */
function copied(socket: string, name = ""): string {
  const disk = join(workDir(), "disk");
  expect(
    spawnSync("nbdcopy", [`nbd+unix:///${name}?socket=${socket}`, disk], { timeout: 60_000 }).status,
  ).toBe(0);
  return disk;
}
const has = (disk: string, path: string) => {
  return spawnSync(process.execPath, [IMAGE, "ls", disk, path]).status === 0;
};

it("images are what mount takes: compressed layers, kept in --cache-dir", async () => {
  const dir = workDir();
  const layers = LAYERS.map((path, i) => {
    const packed = join(dir, `${i}.tar.gz`);
    writeFileSync(packed, gzipSync(readFileSync(path)));
    return packed;
  });
  const { socket } = await serveNbd([...layers, "--cache-dir", join(dir, "cache")]);
  expect(readdirSync(join(dir, "cache"))).toContain("blobs");
  expect(has(copied(socket), "/dd/again")).toBe(true);
});

it("layouts, by --ref and --platform", async () => {
  const dir = ociDir(workDir(), LAYERS, "app:1.0");
  const cache = ["--cache-dir", join(workDir(), "cache")];
  const { socket } = await serveNbd([
    dir,
    "--ref",
    "app:1.0",
    "--platform",
    "linux/amd64",
    ...cache,
    "--single-device",
  ]);
  expect(has(copied(socket), "/dd/again")).toBe(true);
  const none = run(["nbd", dir, "--ref", "app:2.0", ...cache, "--socket", join(workDir(), "s")]);
  expect([none.status, none.stderr]).toEqual([1, expect.stringMatching(/app:2\.0/)]);
  const other = run(["nbd", dir, "--platform", "linux/arm64", ...cache, "--socket", join(workDir(), "s")]);
  expect(other.status).toBe(1);
});

it("tars are found by --blob-dir and --blob; other images have names by --export; --listen is for this machine", async () => {
  const dir = workDir();
  mkdirSync(join(dir, "blobs"));
  for (const path of MERGED.devices) {
    const tar = readFileSync(path);
    writeFileSync(join(dir, "blobs", sha256(tar)), tar);
  }
  const flat = fixture("13-export-disk").path;
  const { socket } = await serveNbd([
    MERGED.path,
    "--blob-dir",
    join(dir, "blobs"),
    "--export",
    `flat=${flat}`,
  ]);
  expect(readFileSync(copied(socket)).equals(readFileSync(copied(socket, "flat")))).toBe(true);
  const tcp = await serveNbd([flat], undefined, ["--listen", "127.0.0.1:0"]);
  const port = /address=127\.0\.0\.1:(\d+)/.exec(tcp.output())?.[1];
  expect(sizeOf(`nbd://127.0.0.1:${port}`)).toBe(Math.ceil(readFileSync(flat).length / 4096) * 4096);
});

it("tars are found by --localfs-dir, too; --block-size 4096 makes another disk of the same image", async () => {
  const dir = workDir();
  for (const path of MERGED.devices) {
    const tar = readFileSync(path);
    writeFileSync(join(dir, sha256(tar)), tar);
  }
  const disks = [];
  for (const form of [[], ["--block-size", "4096"]])
    disks.push(copied((await serveNbd([MERGED.path, "--localfs-dir", dir, ...form])).socket));
  const [small = "", large = ""] = disks;
  expect(readFileSync(large).equals(readFileSync(small))).toBe(false);
  for (const disk of disks) expect(has(disk, "/")).toBe(true);
});

it("--threads is of a device that --bootstrap names an image for", () => {
  const threads = run(["nbd", MERGED.path, "--threads", "2", "--socket", join(workDir(), "s")]);
  expect([threads.status, threads.stderr]).toEqual([2, expect.stringContaining("--threads is of a device")]);
  const none = run(["nbd", MERGED.path, "--bootstrap", MERGED.path]);
  expect([none.status, none.stderr]).toEqual([2, expect.stringContaining("want one device, /dev/nbdN")]);
});

it("a hash tree has --salt; the log goes to --log-file, as --log-format says, from --log-level on", async () => {
  const log = join(workDir(), "nbd.log");
  const flat = fixture("13-export-disk").path;
  const { socket, output, stop } = await serveNbd([
    ...[
      flat,
      "--verity",
      "--salt",
      "00ff",
      "--log-file",
      log,
      "--log-format",
      "text",
      "--log-level",
      "debug",
    ],
  ]);
  expect(output()).toMatch(/^dm-verity options: .* -s 00ff /m);
  const client = await RawClient.connect(socket);
  client.say(Buffer.alloc(4, 0xff));
  expect(await client.take(18)).toHaveLength(18);
  await client.ends();
  expect(await stop()).toBe(0);
  expect(existsSync(log)).toBe(true);
  expect(readFileSync(log, "utf8")).toMatch(/DEBUG .*a client: unknown flags/);
});

it("--blob-dir beside layers, which bring their tars, is refused, unless another image may want it", async () => {
  const cache = ["--cache-dir", join(workDir(), "cache")];
  const alone = run(["nbd", ...LAYERS, "--blob-dir", workDir(), ...cache, "--socket", join(workDir(), "s")]);
  expect([alone.status, alone.stderr]).toEqual([
    1,
    expect.stringMatching(/^Error: --blob-dir has no meaning for /),
  ]);
  const flat = `flat=${fixture("13-export-disk").path}`;
  const { socket } = await serveNbd([...LAYERS, "--blob-dir", workDir(), "--export", flat, ...cache]);
  expect(has(copied(socket), "/dd/again")).toBe(true);
});

it("--metrics-address tells of clients, their requests and the disks", async () => {
  const flat = fixture("13-export-disk").path;
  const { socket, output, stop } = await serveNbd([
    flat,
    "--export",
    `b=${flat}`,
    "--metrics-address",
    "127.0.0.1:0",
  ]);
  const address = / metrics=(\S+)/.exec(output())?.[1];
  const client = await RawClient.connect(socket);
  await client.go();
  client.request(0, 0, 1024);
  client.request(0, 2 ** 40, 512);
  client.request(1, 0, 0);
  for (const error of [0, 22, 1]) expect((await client.simple(error === 0 ? 1024 : 0)).error).toBe(error);
  const body = await (await fetch(`http://${address}/metrics`)).text();
  const size = Math.ceil(readFileSync(flat).length / 4096) * 4096;
  for (const line of [
    ...["tarfs_nbd_clients 1", "tarfs_nbd_clients_total 1", "tarfs_nbd_read_bytes_total 1024"],
    ...['tarfs_nbd_requests_total{command="read"} 2', 'tarfs_nbd_requests_total{command="write"} 1'],
    ...["tarfs_nbd_request_errors_total 2", `tarfs_nbd_disk_bytes{export="b"} ${size}`],
  ])
    expect(body).toContain(`\n${line}\n`);
  expect(body).toMatch(/^process_resident_memory_bytes \d+$/m);
  expect(await (await fetch(`http://${address}/readyz`)).text()).toBe("serving\n");
  const promtool = spawnSync("promtool", ["check", "metrics"], { input: body, encoding: "utf8" });
  expect([promtool.status, promtool.stdout, promtool.stderr]).toEqual([0, "", ""]);
  client.close();
  expect(await stop()).toBe(0);
});
