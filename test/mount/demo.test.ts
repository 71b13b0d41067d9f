import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { LAYERS } from "../source/images.ts";
import { ask, COMMAND, emptyDir, isMounted, launch, run, shell, until, workDir } from "../support/daemon.ts";
import { forUser, USER } from "../support/user.ts";
import { WAIT_FOR } from "../support/wait-for.ts";

const START = join(dirname(COMMAND), "start.js");
const PACKAGES = join(dirname(COMMAND), "../../node_modules");

/** `npm start`, with directories of its own. */
function demo() {
  const dir = workDir();
  const child = launch("env", [`XDG_RUNTIME_DIR=${dir}`, `TMPDIR=${dir}`, process.execPath, START]);
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { dir, child, mountpoint: join(dir, "nydusd-ts-demo"), text: () => text };
}

it("npm start shows the packages that are installed here, mounted from a tar, and leaves nothing", async () => {
  const { dir, child, mountpoint, text } = demo();
  await until(() => text().includes("Serving until") || child.exitCode !== null, "the demonstration");
  const { version } = JSON.parse(readFileSync(join(PACKAGES, "commander/package.json"), "utf8"));
  expect(text()).toMatch(/^A tar of \d+ MiB; its bootstrap of \d+\.\d MiB took \d+ ms\.$/m);
  expect(text()).toContain(`\ncommander\n${version}\n`);
  expect(Number(/(\d+) entries/.exec(text())?.[1])).toBeGreaterThan(1000);
  expect(
    await ask('diff -r "$1/zod" "$2/zod"; diff -r "$1/commander" "$2/commander"', PACKAGES, mountpoint),
  ).toBe("");
  child.kill("SIGINT");
  await until(() => child.exitCode !== null, "the end");
  expect(child.exitCode).toBe(0);
  expect(text()).toMatch(/unmounted\n$/);
  expect(readdirSync(dir)).toEqual([]);
});

/** In a mount namespace whose /dev/fuse everybody may open. */
const AS_USER = `${WAIT_FOR}
node=$1 start=$2 dir=$3 user=$4
mknod "$dir/fuse" c 10 229; chmod 666 "$dir/fuse"; mount --bind "$dir/fuse" /dev/fuse
mkdir "$dir/home"; chown "$user:$user" "$dir/home"; cd "$dir/home"
export HOME=$PWD XDG_RUNTIME_DIR=$PWD TMPDIR=$PWD
setpriv --reuid "$user" --regid "$user" --clear-groups "$node" "$start" >"$dir/log" 2>&1 &
wait_for grep -q Ctrl-C "$dir/log"
setpriv --reuid "$user" --regid "$user" --clear-groups cat nydusd-ts-demo/commander/package.json
kill -INT $!
wait $! && echo "status $?"
find . -mindepth 1 ! -path ./nydusd-ts # where claims of mountpoints are made
cat "$dir/log"`;

it("npm start as an ordinary user does the same", async () => {
  const { node, command, dir } = forUser();
  const args = [AS_USER, "bash", node, join(dirname(command), "start.js"), dir, `${USER}`];
  const { stdout, stderr } = await shell(
    'unshare -m timeout -s KILL 240 bash -euo pipefail -c "$@"',
    ...args,
  );
  const [json, said] = stdout.split("status 0\n");
  const { version } = JSON.parse(json);
  expect({ said, stderr }).toEqual({
    said: expect.stringMatching(
      /^Making a tar .*\nA tar of .*\nMounted at .*\/nydusd-ts-demo, nothing unpacked: \d{4} entries, walked in \d+ ms\.\n/,
    ),
    stderr: "",
  });
  expect(said).toContain(`\ncommander\n${version}\n`);
  expect(said).toMatch(/Serving until you press Ctrl-C\.\n\n.*: unmounted\n$/);
});

it("npm start leaves nothing when it is interrupted before", async () => {
  const { dir, child } = demo();
  await until(() => readdirSync(dir).length > 0, "its work");
  child.kill("SIGTERM");
  await until(() => child.signalCode !== null || child.exitCode !== null, "the end");
  expect(readdirSync(dir)).toEqual([]);
});

it("npm start -- SOURCE DIR mounts that", async () => {
  const dir = workDir();
  const mountpoint = emptyDir();
  const child = launch(process.execPath, [
    START,
    "--driver",
    "fuse",
    ...LAYERS,
    mountpoint,
    "--cache-dir",
    join(dir, "c"),
  ]);
  await until(() => isMounted(mountpoint), "the mount");
  expect(await ask('cat "$1/dd/again"', mountpoint)).toBe("again l3");
  await until(() => child.exitCode !== null, "the end");
  expect(child.exitCode).toBe(0);
  expect(run(["umount", mountpoint]).status).toBe(0);
});

it.each([
  ["--version", 0, /^Version:/],
  ["--bootstrap /none --mountpoint /none", 1, /no such directory/],
  ["umount /none", 1, /nothing is mounted there/],
])("npm start -- %s is nydusd-ts itself", async (words, status, want) => {
  const found = await shell(`"$@" ${words}`, process.execPath, START);
  expect(found.status).toBe(status);
  expect(found.stdout + found.stderr).toMatch(want);
});
