import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  hasEnded,
  ask,
  bePatient,
  emptyDir,
  facts,
  hold,
  isMounted,
  run,
  runMount,
  servedCounts,
  shell,
  start,
  startFixture,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { metric, metricsAddress, reach } from "../support/metrics.ts";
import { tarImage } from "../support/tar-image.ts";

const { path, devices } = fixture("04-large");
const FLAGS = ["-B", path, "--blob", `1=${devices[0]}`];

const ready = async (address: string) => {
  const response = await fetch(`http://${address}/readyz`);
  return [response.status, await response.text()];
};

/** Whether none of the threads of a process runs. */
const areStopped = (pid: number): boolean =>
  readdirSync(`/proc/${pid}/task`).every((task) =>
    /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, "utf8")),
  );

describe.each(["direct", "fuse-native"])("%s", (transport) => {
  const serve = (...args: string[]) =>
    startFixture("04-large", ["--transport", transport, "--metrics-address", ...args]);

  it("metrics tell what the daemon serves", async () => {
    const daemon = await serve("0");
    expect(await ready(metricsAddress(daemon))).toEqual([200, "serving\n"]);
    await ask('cat "$1"/m1p1 | wc -c', daemon.mountpoint);
    expect(await metric(daemon, `nydusd_total_read_bytes{image_ref="${path}"}`)).toBeGreaterThan(1 << 20);
    const reads = await metric(daemon, 'tarfs_requests_total{operation="read"}');
    expect(await metric(daemon, "tarfs_bootstrap_inodes")).toBe(4);
    expect(await metric(daemon, "tarfs_blobs")).toBe(1);
    expect(await metric(daemon, "tarfs_blob_descriptors")).toBe(2);
    expect(await daemon.stop()).toBe(0);
    expect(servedCounts(daemon.output())["read"]).toBe(reads);
  });

  it("/readyz is 503 while the daemon stops, and open connections do not keep it", async () => {
    bePatient();
    const daemon = await serve("localhost:0");
    const address = metricsAddress(daemon);
    const holder = await hold('cd "$1"', "cat small >/dev/null", daemon.mountpoint);
    process.kill(daemon.pid, "SIGTERM");
    await until(() => daemon.output().includes("is busy: detached"), "detaching");
    expect(await ready(address)).toEqual([503, "stopping\n"]);
    await holder.release();
    expect(await daemon.exited).toBe(0); // though fetch has kept its connection
    await expect(ready(address)).rejects.toThrow();
  });

  it("a port in use ends the daemon before anything is mounted", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as { port: number };
    const { status, stderr, isMounted, processes } = runMount([
      ...FLAGS,
      "--transport",
      transport,
      "--metrics-address",
      String(port),
    ]);
    other.close();
    expect({ status, isMounted, processes }).toEqual({ status: 1, isMounted: false, processes: [] });
    expect(stderr).toMatch(
      new RegExp(`Error: metrics address 127\\.0\\.0\\.1:${port}: another process listens there\\n$`),
    );
  });

  it("an open metrics port does not keep a daemon whose image cannot be mounted", () => {
    const args = ["-B", "/nowhere", "--transport", transport, "--metrics-address", "0"];
    const { status, isMounted, processes } = runMount(args);
    expect({ status, isMounted, processes }).toEqual({ status: 1, isMounted: false, processes: [] });
  });

  it("ends after an outside umount", async () => {
    const daemon = await serve("[::1]:0");
    expect(metricsAddress(daemon)).toMatch(/^\[::1\]:\d+$/);
    expect((await ready(metricsAddress(daemon)))[0]).toBe(200);
    await ask('umount "$1"', daemon.mountpoint);
    expect(await daemon.exited).toBe(0);
    expect(isMounted(daemon.mountpoint)).toBe(false);
  });
});

it("without --metrics-address there is no listener, and the daemon is 2 MB smaller at the least", async () => {
  const plain = await startFixture("04-large", []);
  const daemon = await startFixture("04-large", ["--metrics-address", "0"]);
  expect(plain.output()).not.toContain("metrics=");
  const sockets = (pid: number) => ask(`ss -Hltnp | { grep -c "pid=${pid}," || true; }`);
  expect([await sockets(plain.pid), await sockets(daemon.pid)]).toEqual(["0\n", "1\n"]);
  expect(facts(plain.pid).rssKb).toBeLessThan(facts(daemon.pid).rssKb - 2_000);
});

it("--daemonize under a writable overlay tells its metrics", async () => {
  const mountpoint = emptyDir();
  const upper = workDir();
  const { status, stdout } = run([
    ...["mount", path, mountpoint, "--blob", `1=${devices[0]}`, "--rw", upper],
    ...["--metrics-address", "0", "--daemonize", "--log-file", join(workDir(), "log")],
  ]);
  expect(status).toBe(0);
  const [, address = "", pid = ""] = / metrics=(\S+) .* log=\S+ pid=(\d+)\n$/.exec(stdout) ?? [];
  expect(await ready(address)).toEqual([200, "serving\n"]);
  expect(run(["umount", mountpoint]).status).toBe(0);
  await until(() => hasEnded(Number(pid)), "the end");
  await expect(ready(address)).rejects.toThrow();
});

it("--hung-after: a hung request is logged once with its file, and not counted once answered", async () => {
  // The tar of one image lies in the mount of another, whose daemon is stopped.
  const inner = tarImage("mkdir d; head -c 3000000 /dev/urandom >d/file");
  const outer = tarImage(`cp "${inner.tar}" inner.tar`);
  const below = await start([...outer.flags]);
  const blob = ["--blob", `1=${join(below.mountpoint, "inner.tar")}`];
  const daemon = await start(["-B", inner.boot, ...blob, "--metrics-address", "0", "--hung-after", "1"]);
  const hung = () => metric(daemon, "nydusd_hung_io_counts");
  process.kill(below.pid, "SIGSTOP");
  await until(() => areStopped(below.pid), "all threads to stop"); // one of them takes the signal, then tells the others
  const reader = shell('sha256sum <"$1"/d/file', daemon.mountpoint);
  await until(() => daemon.output().includes("hung for "), "the warning");
  // Each scrape is another look at what hangs. All that the kernel has asked for hangs in the end.
  const inflight = await metric(daemon, 'tarfs_requests_inflight{operation="read"}');
  await reach("hung requests", hung, (count) => count === inflight);
  expect(inflight).toBeGreaterThan(0);
  expect(await metric(daemon, "tarfs_workers_busy")).toBeGreaterThan(0);
  expect(await ready(metricsAddress(daemon))).toEqual([200, "serving\n"]);
  const said = [...daemon.output().matchAll(/WARN hung for \d+\.\d s: (.*), request (\d+)\n/g)];
  expect(new Set(said.map(([, what]) => what.replace(/node \d+/, "node N")))).toEqual(
    new Set(["read of node N (/d/file)"]),
  );
  expect(new Set(said.map(([, , request]) => request)).size).toBe(said.length);
  expect(await metric(daemon, "tarfs_hung_requests_total")).toBe(said.length);
  process.kill(below.pid, "SIGCONT");
  const wanted = await ask('sha256sum <"$1"/d/file', inner.source);
  expect((await reader).stdout).toBe(wanted);
  expect(await hung()).toBe(0);
  expect(await daemon.stop()).toBe(0);
  expect(await below.stop()).toBe(0);
});
