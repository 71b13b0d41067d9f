import { readFileSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mountAt } from "../../src/mounts/table.ts";
import {
  childrenOf,
  COMMAND,
  emptyDir,
  isMounted,
  kill,
  mentioning,
  run,
  sh,
  shell,
  until,
  workDir,
} from "../support/daemon.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";

/** A layer, its compressed form, and one to lie below it. */
function layers(): { dir: string; tar: string; gz: string; below: string } {
  const dir = workDir();
  sh(
    'cd "$D"; mkdir t u; echo one >t/one; echo two >u/two; tar -C t -cf l.tar one; tar -C u -cf b.tar two; gzip -k l.tar',
    {
      D: dir,
    },
  );
  return { dir, tar: join(dir, "l.tar"), gz: join(dir, "l.tar.gz"), below: join(dir, "b.tar") };
}

/** Runs a script with `mount` as a function that has a cache, a log and a driver; what the mount shows then. */
async function shown(script: string, driver: string, made = layers()) {
  const mnt = emptyDir();
  const words = `N=$1 C=$2 D=$3 M=$4; shift 4; nydusd-ts() { "$N" "$C" "$@"; }
    mount() { nydusd-ts mount --cache-dir "$D/cache" --log-file "$D/log" --driver ${driver} "$@" "$M"; }
    cd "$D"; ${script}`;
  const finished = await shell(words, process.execPath, COMMAND, made.dir, mnt);
  const names = isMounted(mnt) ? await readdir(mnt) : [];
  const type = mountAt(mnt)?.type;
  if (isMounted(mnt)) expect(run(["umount", mnt]).status).toBe(0);
  return { ...finished, names, type };
}

const DRIVERS = ["fuse", ...KERNEL_DRIVERS.slice(0, 1)];

describe.each(DRIVERS)("mount --driver %s returns, and has read what was meant", (driver) => {
  it.each([
    ["a file", "mount l.tar", ["one"]],
    ["a pipe", "cat l.tar | mount -", ["one"]],
    ["a compressed pipe", "cat l.tar.gz | mount -", ["one"]],
    ["a pipe above a file", "cat l.tar | mount b.tar -", ["one", "two"]],
    ["/dev/stdin, a pipe", "cat l.tar | mount /dev/stdin", ["one"]],
    ["/dev/stdin, a file", "mount /dev/stdin <l.tar", ["one"]],
    ["a descriptor", "mount /dev/fd/7 7<l.tar", ["one"]],
    ["the same in /proc", "mount /proc/self/fd/7 7<l.tar", ["one"]],
    ["<(…)", "mount <(cat l.tar)", ["one"]],
    ["two of them", "mount <(cat b.tar) <(cat l.tar.gz)", ["one", "two"]],
    ["a fifo", 'mkfifo p; cat l.tar >p & mount "p"', ["one"]],
    ["with --daemonize", "cat l.tar | mount --daemonize -", ["one"]],
  ])("%s", async (_, script, want) => {
    const { status, stderr, names } = await shown(script, driver);
    expect({ status, names }, stderr).toEqual({ status: 0, names: want });
  });
});

describe("what a process in the background cannot open is refused", () => {
  it.each([
    ["an image in a pipe", "nydusd-ts -B <(cat l.tar) -M $M --daemonize"],
    ["a list in a pipe", "mount l.tar --prefetch-files <(echo /one)"],
    ["a trace to a descriptor", "mount l.tar --trace /dev/fd/7 7>trace.out"],
  ])("%s", async (_, script) => {
    const { status, stderr, names } = await shown(script, "fuse");
    expect({ status, names }).toEqual({ status: 1, names: [] });
    expect(stderr).toMatch(/Error: \/dev\/fd\/\d+: a pipe or a file without a name, .*--foreground\n$/);
  });
});

it("a crash never reads standard input again", async () => {
  const { dir } = layers();
  const mnt = emptyDir();
  const script = 'cat "$1/l.tar" | "$2" "$3" mount --driver fuse --cache-dir "$1/c" -L "$1/log" - "$4"';
  const { stdout } = await shell(script, dir, process.execPath, COMMAND, mnt);
  const keeper = Number(/ pid=(\d+)$/m.exec(stdout)?.[1]);
  const [serving = 0] = childrenOf(keeper);
  kill(serving);
  await until(() => childrenOf(keeper).some((pid) => pid !== serving), "the next process");
  expect(readFileSync(join(mnt, "one"), "utf8")).toBe("one\n");
  expect(run(["umount", mnt]).status).toBe(0);
  await until(() => mentioning(mnt).length === 0, "the end");
});

it("both kinds of driver leave the caller's pipes alone, and its signals end the start", async () => {
  const { dir } = layers();
  const mnt = emptyDir();
  const script = `mkfifo "$1/never"; timeout -s INT 2 "$2" "$3" mount --driver fuse --cache-dir "$1/c" "$1/never" "$4" || echo $?`;
  expect((await shell(script, dir, process.execPath, COMMAND, mnt)).stdout).toBe("124\n");
  expect([isMounted(mnt), mentioning(mnt)]).toEqual([false, []]);
});

it.each([
  [["--driver", "fuse", "/none.tar"], 1, /\/none\.tar: no such file\n$/],
  [["--driver", "fuse", "--pid-file", "/none/pid", "l.tar"], 1, /^Error: pid file \/none\/pid: .*$/m],
  [
    ["--foreground", "--daemonize", "l.tar"],
    2,
    /^Error: --foreground stays: it cannot be used with --daemonize\n$/,
  ],
])("an error of the daemon is the command's: %j", async (words, status, said) => {
  const { dir } = layers();
  const mnt = emptyDir();
  const line = ["mount", "--cache-dir", join(dir, "c"), "-L", join(dir, "log"), ...words, mnt];
  const finished = await shell('cd "$1"; shift; "$@"', dir, process.execPath, COMMAND, ...line);
  expect({ status: finished.status, said: finished.stderr.split("\n").at(-2) }).toEqual({
    status,
    said: expect.stringMatching(said.source.replace(/\\n\$$/, "$")),
  });
  await until(() => mentioning(mnt).length === 0, "the end");
});

/** The start in a mount namespace whose /run and /dev/log are its own. */
const ALONE = `mount -t tmpfs none /run; mount -t tmpfs none /var/log; mkdir -p /run/systemd/journal
  node=$1 command=$2 dir=$3 mnt=$4 socket=$5; shift 5`;

describe("the log goes on", () => {
  it("in a file for each mountpoint, where there is nothing else", async () => {
    const { dir } = layers();
    const mnt = emptyDir();
    const script = `${ALONE}
      "$node" "$command" mount --driver fuse --cache-dir "$dir/c" "$dir/l.tar" "$mnt" 2>/dev/null | sed 's/.* log=//;s/ .*//'
      cat "$mnt/one"; "$node" "$command" umount "$mnt" >/dev/null; cat /var/log/nydusd-ts/*; stat -c %a /var/log/nydusd-ts/*`;
    const { stdout, stderr } = await shell(
      'unshare -m bash -euc "$@"',
      ...[script, "bash", process.execPath, COMMAND, dir, mnt, ""],
    );
    const [log, one, first, ...rest] = stdout.trim().split("\n");
    expect([log, one], stderr).toEqual([
      `/var/log/nydusd-ts/${mnt.slice(1).replaceAll("-", "%2d").replaceAll("/", "-")}.log`,
      "one",
    ]);
    expect(JSON.parse(first)).toMatchObject({ level: "info", message: "driver fuse: asked for" });
    expect(rest.at(-1)).toBe("600");
  });

  it("in the journal, with priorities", async () => {
    const { dir } = layers();
    const mnt = emptyDir();
    const socket = join(workDir(), "stdout");
    let text = "";
    const journal = createServer((line) => line.on("data", (chunk) => (text += chunk.toString())));
    await new Promise<void>((done) => journal.listen(socket, done));
    const script = `${ALONE}
      touch /run/systemd/journal/stdout; mount --bind "$socket" /run/systemd/journal/stdout
      "$node" "$command" mount --driver fuse --cache-dir "$dir/c" "$dir/l.tar" "$mnt" 2>/dev/null | sed 's/.* log=//;s/ .*//'
      "$node" "$command" umount "$mnt" >/dev/null`;
    const { stdout } = await shell(
      'unshare -m bash -euc "$@"',
      ...[script, "bash", process.execPath, COMMAND, dir, mnt, socket],
    );
    expect(stdout).toBe("journal\n");
    await until(() => text.includes("unmounted"), "the last line");
    journal.close();
    expect(text).toMatch(/^nydusd-ts\n\n6\n1\n0\n0\n0\n<6>driver fuse: asked for\n<6>transport direct: .*\n/);
  });
});

it("a log file that was asked for has each line once, and the terminal has the rest", () => {
  const { dir, tar } = layers();
  const mnt = emptyDir();
  const log = join(dir, "log");
  writeFileSync(log, "");
  const words = [
    "mount",
    "--driver",
    "fuse",
    "--cache-dir",
    join(dir, "c"),
    "-L",
    log,
    "--log-format",
    "text",
  ];
  const { stdout, stderr, status } = run([...words, tar, mnt]);
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(new RegExp(` log=${log}.log pid=\\d+\\n$`));
  expect(readFileSync(`${log}.log`, "utf8").match(/driver fuse: asked for/g)).toHaveLength(1);
  expect(run(["umount", mnt]).status).toBe(0);
});
