import { once } from "node:events";
import { lstatSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { get, say, startManaged } from "../support/api.ts";
import { blobFlags, hold, isMounted, runMount, start, startFixture, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

const { path, devices, entries } = fixture("04-large");
const IMAGE = ["-B", path, ...blobFlags(devices)];
const state = async (sock: string) => (await get<{ state: string }>(sock, "/api/v1/daemon")).state;

it("the socket is its owner's alone, and replaces one that a killed daemon left", async () => {
  const first = await startManaged();
  expect(lstatSync(first.sock).mode & 0o777).toBe(0o600);
  await first.stop("SIGKILL");
  expect(lstatSync(first.sock).isSocket()).toBe(true);
  const second = await startFixture("04-large", ["-A", first.sock, "--id", "second"]);
  expect(await get(first.sock, "/api/v1/daemon")).toMatchObject({ id: "second", state: "RUNNING" });
  expect(await second.stop()).toBe(0);
});

it("nothing is mounted when the socket cannot be had", async () => {
  const dir = workDir();
  const busy = join(dir, "busy");
  const server = createServer().listen(busy);
  await once(server, "listening");
  writeFileSync(join(dir, "file"), "");
  // The command is run to its end by this thread; the kernel takes the connection all the same.
  const said = ["busy", "file", "none/sock", "x".repeat(108)].map((name) => {
    const { status, stderr, isMounted, processes } = runMount([...IMAGE, "-A", join(dir, name)]);
    const last = stderr.trim().split("\n").at(-1)?.replaceAll(dir, "DIR");
    return { status, last, isMounted, processes };
  });
  server.close();
  const refused = (last: unknown) => ({ status: 1, last, isMounted: false, processes: [] });
  expect(said).toEqual([
    refused("Error: apisock DIR/busy: another process answers there"),
    refused("Error: apisock DIR/file: is there, and is no socket"),
    refused(expect.stringMatching(/^Error: apisock DIR\/none\/sock: listen E/)),
    refused(expect.stringMatching(/^Error: apisock DIR\/x+: \d+ bytes long, want 107 at most$/)),
  ]);
});

it("mount --driver auto takes it as a word for the daemon", async () => {
  const sock = join(workDir(), "sock");
  const daemon = await start([...blobFlags(devices), "-A", sock], undefined, ["mount", path]);
  expect(daemon.output()).toContain("driver fuse: --apisock: for the FUSE daemon only");
  expect(await state(sock)).toBe("RUNNING");
  expect(await daemon.stop()).toBe(0);
});

it("a flood of garbage disturbs no reader", async () => {
  const { sock, mountpoint, stop } = await startManaged();
  const expected = entries.filter((e) => e.sha256 !== undefined);
  // O_DIRECT goes past the page cache, so that every pass asks the daemon.
  const reader = await hold(
    "true",
    'for i in $(seq 20); do for f in "$1"/*; do dd if="$f" iflag=direct bs=1M status=none | sha256sum; done; done',
    mountpoint,
  );
  const flood = Array.from({ length: 50 }, (_, i) => attack(sock, i));
  const text = await reader.release();
  const sums = new Set(
    text
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  );
  expect(sums).toEqual(new Set(expected.map((e) => e.sha256)));
  await Promise.all(flood);
  expect(await state(sock)).toBe("RUNNING");
  expect(isMounted(mountpoint)).toBe(true);
  expect(await stop()).toBe(0);
});

/** One hostile connection: random bytes, a body that never comes, a megabyte of headers, wrong methods. */
async function attack(sock: string, index: number): Promise<void> {
  if (index % 4 === 3) {
    for (let i = 0; i < 20; i++)
      await say(sock, `${["POST", "DELETE", "PATCH"][i % 3]} /api/v1/daemon`, "x").catch(() => {});
    return;
  }
  const socket = connect(sock).on("error", () => {});
  socket.resume();
  const noise = Buffer.alloc(1 << 20).map((_, i) => (i * 2_654_435_761 * (index + 1)) >>> 13);
  const head = "PUT /api/v1/daemon HTTP/1.1\r\nHost: x\r\n";
  if (index % 4 === 0) socket.write(noise);
  else if (index % 4 === 1) socket.write(`${head}Content-Length: 1000\r\n\r\n{`);
  else socket.write(`${head}X: ${"x".repeat(1 << 20)}\r\n\r\n`);
  await new Promise((resolve) => {
    socket.once("close", resolve);
    setTimeout(resolve, 3000);
  });
  socket.destroy();
}
