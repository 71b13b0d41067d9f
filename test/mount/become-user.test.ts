import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { messageOf } from "../../src/bytes/errors.ts";
import { findUser } from "../../src/daemon/user.ts";
import { get, say } from "../support/api.ts";
import {
  ask,
  type Daemon,
  hold,
  isMounted,
  runMount,
  start,
  startFixture,
  stopAtOnce,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { change, orderOf } from "../support/submounts.ts";
import { USER } from "../support/user.ts";

const { path, devices, entries } = fixture("04-large");
const SHA256 = entries.find((entry) => entry.path === "/m1p1")?.sha256;

/** A directory with a mountpoint that everybody gets to. */
function place(): { dir: string; mountpoint: string } {
  const dir = workDir();
  chmodSync(dir, 0o755);
  const mountpoint = join(dir, "mnt");
  mkdirSync(mountpoint);
  return { dir, mountpoint };
}

/** What each thread of a process is: users, groups, capabilities. */
const identities = ({ pid }: Daemon): Set<string> =>
  new Set(
    readdirSync(`/proc/${pid}/task`).map((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/status`, "latin1")
        .split("\n")
        .filter((line) => /^(Uid|Gid|Groups|CapPrm|CapEff):/.test(line))
        .map((line) => line.split(/\s+/).slice(1).join(" ").trim())
        .join("; "),
    ),
  );
const NO_CAPS = "0".repeat(16);
const become = (uid: number, gid: number) =>
  new Set([`${`${uid} `.repeat(4).trim()}; ${`${gid} `.repeat(4).trim()}; ; ${NO_CAPS}; ${NO_CAPS}`]);

it("--user: all threads become the user, files that root opened are served, images come and go", async () => {
  const { dir, mountpoint } = place();
  const files = [path, devices[0]].map((from, i) => {
    const to = join(dir, ["boot", "tar"][i]);
    copyFileSync(from, to);
    chmodSync(to, 0o600);
    return to;
  });
  const sock = join(dir, "sock");
  const args = [
    "--user",
    "nobody:1234",
    "--apisock",
    sock,
    "--metrics-address",
    "0",
    "--virtual-mountpoint",
    "/first",
  ];
  const own = ["--bootstrap", files[0], "--blob", `1=${files[1]}`];
  const daemon = await start([...own, ...args, "--pid-file", join(dir, "pid")], mountpoint);
  expect(identities(daemon)).toEqual(become(USER, 1234));
  // Nobody but root may trace it: the kernel gives what is its own in /proc to root.
  expect(statSync(`/proc/${daemon.pid}/mem`).uid).toBe(0);
  const sums = await ask('cd "$1"; for i in 1 2 3 4; do sha256sum first/m1p1 & done; wait', mountpoint);
  expect(sums).toBe(`${SHA256}  first/m1p1\n`.repeat(4));
  const metrics = await ask(`curl -sf "http://$1/metrics"`, /metrics=(\S+)/.exec(daemon.output())?.[1] ?? "");
  expect(metrics).toMatch(/^process_open_fds [1-9]/m);

  chmodSync(files[1], 0o644);
  const order = JSON.parse(orderOf(files[0], dir));
  order.config = JSON.stringify({
    version: 2,
    backend: { type: "localfs", localfs: { blob_file: files[1] } },
  });
  const secret = await change(sock, "POST /second", JSON.stringify(order));
  expect([secret.status, secret.text]).toEqual([500, expect.stringContaining("EACCES: permission denied")]);
  chmodSync(files[0], 0o644);
  expect((await change(sock, "POST /second", JSON.stringify(order))).text).toBe("");
  expect(await ask('sha256sum <"$1/second/m1p1"', mountpoint)).toBe(`${SHA256}  -\n`);
  expect((await say(sock, "DELETE /api/v1/mount?mountpoint=/second")).status).toBe(204);
  expect(await get(sock, "/api/v1/daemon")).toMatchObject({ state: "RUNNING" });
  expect(identities(daemon)).toEqual(become(USER, 1234));
  expect(await daemon.stop()).toBe(0);
  expect(isMounted(mountpoint)).toBe(false);
});

it("--user: a busy mount is detached, and a second signal ends the daemon", async () => {
  const { mountpoint } = place();
  const daemon = await startFixture("04-large", ["--user", String(USER)], mountpoint);
  const holder = await hold('cd "$1"', "cat m1p1 2>&1 | tail -c 60 || true", mountpoint);
  process.kill(daemon.pid, "SIGTERM");
  await until(() => daemon.output().includes("is busy: detached"), "the unmount");
  expect(isMounted(mountpoint)).toBe(false);
  expect(await stopAtOnce(daemon)).toBe(0);
  await holder.release();
});

it.each([
  ["nobody", { uid: USER, gid: USER }],
  ["65534:1", { uid: USER, gid: 1 }],
  ["nobody:root", { uid: USER, gid: 0 }],
  ["54321:6", { uid: 54321, gid: 6 }],
  ["no-such-user", "there is no user no-such-user"],
  ["54321", "there is no user 54321, so give its group, too: 54321:GID"],
  ["nobody:no-such-group", "there is no group no-such-group"],
  ["4294967295:1", "there is no user 4294967295"],
  ["0", "the daemon runs as root already: leave --user out"],
  ["1:2:3", "want NAME, UID or UID:GID"],
  ["nobody:", "want NAME, UID or UID:GID"],
  ["", "want NAME, UID or UID:GID"],
])("--user %j is a user, or refused", (text, want) => {
  const found = () => {
    try {
      return findUser(text);
    } catch (error) {
      return messageOf(error).replace(`--user ${text}: `, "");
    }
  };
  expect(found()).toEqual(want);
});

it.each([
  [["--user", "no-such-user"], 1, "--user no-such-user: there is no user no-such-user"],
  [
    ["--user", "nobody", "--transport", "fuse-native"],
    2,
    "--user needs a daemon that mounts /dev/fuse itself: it cannot be used with --transport fuse-native",
  ],
])("%j is refused before anything is mounted", (flags, status, said) => {
  const got = runMount(["-B", path, "--blob", `1=${devices[0]}`, ...flags]);
  const last = got.stderr.trim().split("\n").at(-1);
  expect([got.status, last, got.isMounted]).toEqual([status, `Error: ${said}`, false]);
});

it("a mountpoint that the user cannot get to is refused: it could not be unmounted", () => {
  const got = runMount(["-B", path, "--blob", `1=${devices[0]}`, "--user", "nobody"]);
  expect([got.status, got.isMounted]).toEqual([1, false]);
  expect(got.stderr).toMatch(
    /^Error: --user: user 65534 cannot reach \/tmp\/.*, and so could not unmount it: let it search each directory above$/m,
  );
});
