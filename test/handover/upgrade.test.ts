import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readMounts } from "../../src/mounts/table.ts";
import { ctl, get, say } from "../support/api.ts";
import {
  hasEnded,
  ask,
  type Daemon,
  facts,
  hold,
  isMounted,
  kill,
  shell,
  start,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { KEPT, startKept, stateOf, TREE, wentOn } from "../support/kept.ts";
import { tarImage } from "../support/tar-image.ts";

const BUNDLE = dirname(fileURLToPath(new URL("../../dist/bundle/nydusd-ts.js", import.meta.url)));
const PACKAGES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** Processes that have served, their API and metrics included. */
const readies = (daemon: Daemon): number => (daemon.output().match(/^ready /gm) ?? []).length;

describe("an upgrade", () => {
  it("starts the version that is installed now; nydusctl-ts upgrade waits for it", async () => {
    const dir = workDir();
    const made = tarImage("echo text >f");
    const install = (version: string) => {
      rmSync(join(dir, "dist"), { recursive: true, force: true });
      mkdirSync(join(dir, "dist"));
      cpSync(BUNDLE, join(dir, "dist/bundle"), { recursive: true });
      writeFileSync(join(dir, "dist/bundle/build.json"), JSON.stringify({ version, commit: "c", time: "t" }));
    };
    mkdirSync(join(dir, "bin"));
    cpSync(KEPT, join(dir, "bin/nydusd-ts.mjs"));
    symlinkSync(PACKAGES, join(dir, "node_modules"));
    writeFileSync(join(dir, "package.json"), '{"type":"module"}');
    install("1.0.0");
    const sock = join(workDir(), "api.sock");
    const flags = [...made.flags, "--apisock", sock, "--state-dir", join(dir, "state")];
    const daemon = await start(flags, undefined, ["--mountpoint"], [join(dir, "bin/nydusd-ts.mjs")]);
    const version = async () =>
      (await get<{ version: { package_ver: string } }>(sock, "/api/v1/daemon")).version.package_ver;
    expect(await version()).toBe("1.0.0");
    install("2.0.0");
    expect(await ctl(["-S", sock, "upgrade"])).toMatchObject({
      status: 0,
      stdout: "version 2.0.0 (c) goes on\n",
      stderr: "",
    });
    expect(await version()).toBe("2.0.0");
    const child = stateOf(join(dir, "state"))?.serving.pid;
    // A version that cannot even begin changes nothing.
    writeFileSync(join(dir, "dist/bundle/nydusd-ts.js"), "throw new Error('broken')");
    const failed = await ctl(["-S", sock, "upgrade"]);
    expect(failed).toMatchObject({ status: 1, stdout: "" });
    expect(failed.stderr).toContain("the new version was not ready in 10 s");
    expect([await version(), stateOf(join(dir, "state"))?.serving.pid]).toEqual(["2.0.0", child]);
    expect(await ask('cat "$1/f"', daemon.mountpoint)).toBe("text\n");
    install("3.0.0");
    expect((await ctl(["-S", sock, "upgrade"])).stdout).toBe("version 3.0.0 (c) goes on\n");
    expect(await daemon.stop()).toBe(0);
  });

  it("goes on with many images, those that were replaced and those that are gone but open", async () => {
    const sock = join(workDir(), "api.sock");
    const daemon = await startKept(["--apisock", sock]);
    const [one, two, three] = ["one", "two", "three"].map((word) =>
      tarImage(`echo ${word} >word; head -c 200000 /dev/urandom >${word}; mkdir d; echo same >d/same`),
    );
    const order = (method: string, at: string, { boot, tar }: typeof one) =>
      say(
        sock,
        `${method} /api/v1/mount?mountpoint=${at}`,
        JSON.stringify({
          source: boot,
          config: JSON.stringify({ version: 2, backend: { type: "localfs", localfs: { blob_file: tar } } }),
        }),
      ).then(({ status, text }) => `${status}${text}`);
    expect([await order("POST", "/a/b", one), await order("POST", "/c", two)]).toEqual(["204", "204"]);
    const old = await hold(
      'exec 3<"$1/a/b/one" 4<"$1/c/two"',
      'cmp - "$2/one" <&3 && cmp - "$3/two" <&4 && echo same',
      daemon.mountpoint,
      one.source,
      two.source,
    );
    expect(await order("PUT", "/a/b", three)).toBe("204");
    expect((await say(sock, "DELETE /api/v1/mount?mountpoint=/c")).status).toBe(204);
    const look = 'cd "$1"; find . | sort; cat a/b/word; stat -c %i a/b/d/same';
    const before = await ask(look, daemon.mountpoint);
    process.kill(daemon.pid, "SIGHUP");
    await until(() => wentOn(daemon) === 1, "the new version");
    expect(await ask(look, daemon.mountpoint)).toBe(before);
    await until(() => readies(daemon) === 2, "its API");
    await daemon.crash();
    await until(() => readies(daemon) === 3, "its API");
    expect(await ask(look, daemon.mountpoint)).toBe(before);
    expect(await ask('cmp "$1/a/b/three" "$2/three"', daemon.mountpoint, three.source)).toBe("");
    expect(await old.release()).toBe("same\n");
    await until(() => readies(daemon) === 3, "its API");
    const { backend_collection } = await get<{ backend_collection: object }>(sock, "/api/v1/daemon");
    expect(Object.keys(backend_collection)).toEqual(["/a/b"]);
    expect(await order("POST", "/c", two)).toBe("204");
    expect(await ask('cmp "$1/c/two" "$2/two"', daemon.mountpoint, two.source)).toBe("");
    expect(await daemon.stop()).toBe(0);
  });

  it("images that are unmounted after an upgrade give their descriptors back", async () => {
    const sock = join(workDir(), "api.sock");
    const { path: source, devices } = fixture("04-large");
    const daemon = await startKept(["--apisock", sock]);
    const config = JSON.stringify({
      version: 2,
      backend: { type: "localfs", localfs: { blob_file: devices[0] } },
    });
    const mount = (at: string) =>
      say(sock, `POST /api/v1/mount?mountpoint=${at}`, JSON.stringify({ source, config }));
    expect((await mount("/a")).status).toBe(204);
    await ask('find "$1" -type f -exec cat {} + | wc -c', daemon.mountpoint);
    process.kill(daemon.pid, "SIGHUP");
    await until(() => readies(daemon) === 2, "the new version");
    const child = stateOf(daemon.stateDir)?.serving.pid ?? 0;
    const open = () => readdirSync(`/proc/${child}/fd`).filter((fd) => link(child, fd) === devices[0]).length;
    await until(() => open() > 0, "an open tar");
    expect((await say(sock, "DELETE /api/v1/mount?mountpoint=/a")).status).toBe(204);
    await until(() => open() === 0, "the tar let go");
    expect(await daemon.stop()).toBe(0);
  });
});

function link(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return ""; // closed meanwhile
  }
}

it("counters never fall across a crash and an upgrade, and takeovers are counted", async () => {
  const made = tarImage(TREE);
  const daemon = await startKept([...made.flags, "--metrics-address", "127.0.0.1:0"]);
  const scrape = async () => {
    const address = [...daemon.output().matchAll(/metrics=(\S+)/g)].at(-1)?.[1];
    const text = await (await fetch(`http://${address}/metrics`)).text();
    const value = (name: string) =>
      Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? -1);
    return { bytes: value("tarfs_read_size_bytes_sum"), text };
  };
  const read = (i: number) => ask('cat "$1/d$2"/* | wc -c', daemon.mountpoint, `${i}`);
  await read(1);
  const first = await scrape();
  expect(first.bytes).toBeGreaterThan(0);
  await daemon.crash();
  await until(() => readies(daemon) === 2, "its metrics");
  const second = await scrape();
  expect(second.bytes).toBeGreaterThanOrEqual(first.bytes);
  await read(2);
  process.kill(daemon.pid, "SIGHUP");
  await until(() => readies(daemon) === 3, "the new version");
  const third = await scrape();
  expect(third.bytes).toBeGreaterThan(second.bytes);
  expect(third.text).toContain('tarfs_takeovers_total{reason="crash"} 1\n');
  expect(third.text).toContain('tarfs_takeovers_total{reason="upgrade"} 1\n');
  expect(await daemon.stop()).toBe(0);
});

it.each([0, 0, 5, 10, 20, 40])("SIGTERM %i ms after an upgrade unmounts with status 0", async (ms) => {
  const made = tarImage("echo text >f");
  const daemon = await startKept(made.flags);
  process.kill(daemon.pid, "SIGHUP");
  await until(() => readies(daemon) === 2, "the new version");
  await sleep(ms);
  expect(await daemon.stop()).toBe(0);
  expect(isMounted(daemon.mountpoint)).toBe(false);
  expect(daemon.output()).not.toMatch(/error/i);
});

it("--daemonize tells the keeper's pid, which stays the same across a crash", async () => {
  const made = tarImage("echo text >f");
  const pidFile = join(workDir(), "pid");
  const dir = workDir();
  mkdirSync(join(dir, "mnt"));
  const args = [...made.flags, "--daemonize", "--pid-file", pidFile, "--state-dir", join(dir, "state")];
  const { stdout, status } = await shell('"$@"', KEPT, ...args, "--mountpoint", join(dir, "mnt"));
  const pid = Number(readFileSync(pidFile, "utf8"));
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(new RegExp(`^ready .* log=\\S+ pid=${pid}\n$`)),
  ]);
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain("keeper.sh");
  const before = stateOf(join(dir, "state"))?.serving.pid ?? 0;
  kill(before);
  await until(() => ![undefined, before].includes(stateOf(join(dir, "state"))?.serving.pid), "the next one");
  expect(await ask('cat "$1/mnt/f"', dir)).toBe("text\n");
  expect([Number(readFileSync(pidFile, "utf8")), facts(pid).threads]).toEqual([pid, 1]);
  process.kill(pid, "SIGTERM");
  await until(() => !isMounted(join(dir, "mnt")), "the unmount");
  await until(() => hasEnded(pid), "the keeper's end");
  expect(readdirSync(join(dir, "state"))).toEqual([]);
});

it("a writable overlay above it stays where it is through an upgrade", async () => {
  const made = tarImage("echo text >f; echo other >g");
  const dir = workDir();
  mkdirSync(join(dir, "upper"));
  const flags = ["--driver", "fuse", "--rw", join(dir, "upper"), "--state-dir", join(dir, "state")];
  const covered = await start(flags, undefined, ["mount", made.boot, "--blob", `1=${made.tar}`], [KEPT]);
  await ask('echo new >"$1/f"', covered.mountpoint);
  const devices = () =>
    readMounts()
      .filter(({ mountpoint }) => mountpoint === covered.mountpoint)
      .map(({ device }) => device);
  const before = devices();
  expect(before).toHaveLength(2);
  process.kill(covered.pid, "SIGHUP");
  await until(() => /handed over: went on/.test(covered.output()), "the next one");
  expect(await ask('cat "$1/f" "$1/g"', covered.mountpoint)).toBe("new\nother\n");
  expect(devices()).toEqual(before);
  expect(await covered.stop()).toBe(0);
  expect(devices()).toEqual([]);
});

it("a writable overlay above it goes on after a crash", async () => {
  const made = tarImage("echo text >f; echo other >g");
  const dir = workDir();
  mkdirSync(join(dir, "upper"));
  const flags = ["--driver", "fuse", "--rw", join(dir, "upper"), "--state-dir", join(dir, "state")];
  const covered = await start(flags, undefined, ["mount", made.boot, "--blob", `1=${made.tar}`], [KEPT]);
  await ask('echo new >"$1/f"', covered.mountpoint);
  const before = stateOf(join(dir, "state"))?.serving.pid ?? 0;
  kill(before);
  expect(await ask('cat "$1/f" "$1/g"', covered.mountpoint)).toBe("new\nother\n");
  await until(() => wentOn(covered) === 1, "the next one");
  expect(await covered.stop()).toBe(0);
  expect(isMounted(covered.mountpoint)).toBe(false);
});
