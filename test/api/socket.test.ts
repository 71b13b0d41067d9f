import { once } from "node:events";
import { lchownSync, lstatSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { get, startManaged } from "../support/api.ts";
import { blobFlags, runMount, start, startFixture, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { USER } from "../support/user.ts";

const { path, devices } = fixture("04-large");
const IMAGE = ["-B", path, ...blobFlags(devices)];
const state = async (sock: string) => (await get<{ state: string }>(sock, "/api/v1/daemon")).state;

it("--apisock makes a socket for its owner alone, and replaces one that a killed daemon left", async () => {
  const first = await startManaged();
  expect(lstatSync(first.sock).mode & 0o777).toBe(0o600);
  await first.stop("SIGKILL");
  expect(lstatSync(first.sock).isSocket()).toBe(true);
  const second = await startFixture("04-large", ["-A", first.sock, "--id", "second"]);
  expect(await get(first.sock, "/api/v1/daemon")).toMatchObject({ id: "second", state: "RUNNING" });
  expect(await second.stop()).toBe(0);
});

it("nothing is mounted when --apisock cannot be bound", async () => {
  const dir = workDir();
  const busy = join(dir, "busy");
  const server = createServer().listen(busy);
  await once(server, "listening");
  writeFileSync(join(dir, "file"), "");
  symlinkSync(workDir(), join(dir, "link"));
  lchownSync(join(dir, "link"), USER, USER);
  // The command is run to its end by this thread; the kernel takes the connection all the same.
  const said = ["busy", "file", "none/sock", "x".repeat(108), "link/sock"].map((name) => {
    const { status, stderr, isMounted, processes } = runMount([...IMAGE, "-A", join(dir, name)]);
    const last = stderr.trim().split("\n").at(-1)?.replaceAll(dir, "DIR");
    return { status, last, isMounted, processes };
  });
  server.close();
  const refused = (last: unknown) => ({ status: 1, last, isMounted: false, processes: [] });
  expect(said).toEqual([
    refused("Error: apisock DIR/busy: another process answers there"),
    refused("Error: apisock DIR/file: is there, and is no socket"),
    refused("Error: apisock DIR/none/sock: no such directory"),
    refused(expect.stringMatching(/^Error: apisock DIR\/x+: \d+ bytes long, want 107 at most$/)),
    refused(`Error: apisock DIR/link/sock: DIR/link is a link that belongs to user ${USER}`),
  ]);
});

it("mount --driver auto takes FUSE when --apisock is given", async () => {
  const sock = join(workDir(), "sock");
  const daemon = await start([...blobFlags(devices), "-A", sock], undefined, ["mount", path]);
  expect(daemon.output()).toContain("driver fuse: --apisock: for the FUSE daemon only");
  expect(await state(sock)).toBe("RUNNING");
  expect(await daemon.stop()).toBe(0);
});
