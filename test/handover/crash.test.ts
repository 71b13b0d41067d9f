import { readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { mountAt } from "../../src/mounts/table.ts";
import { statOf } from "../../src/proc/processes.ts";
import { startReaders } from "../support/checking-readers.ts";
import {
  hasEnded,
  ask,
  blobFlags,
  childrenOf,
  facts,
  hold,
  isMounted,
  kill,
  shell,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { KEPT, type Kept, startKept, stateOf, TREE, wentOn } from "../support/kept.ts";
import { tarImage } from "../support/tar-image.ts";

const SEED = Number(process.env["NYDUSD_TS_SEED"] ?? Date.now() % 1_000_000);

/** Whether a process has a file open. */
function hasOpen(pid: number, path: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === path);
  } catch {
    return false; // closed, or ended, meanwhile
  }
}

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** What a daemon is when nothing happens: the keeper's and its child's. */
async function settled(daemon: Kept) {
  await until(() => daemon.serving() !== undefined, "a serving process");
  const child = daemon.serving() ?? 0;
  return { keeper: descriptors(daemon.pid), child: descriptors(child), threads: facts(child).threads };
}

describe("a serving process that is killed", () => {
  it("five times in a row, also when it is only about to go on: the next one goes on", async () => {
    const { flags, boot, source } = tarImage(TREE);
    const daemon = await startKept(flags);
    const before = await settled(daemon);
    const readers = await startReaders(2, daemon.mountpoint, SEED);
    const killed = new Set<number>();
    for (let i = 0; i < 5; i++) {
      let pid = 0;
      await until(() => {
        pid = childrenOf(daemon.pid).find((each) => !killed.has(each)) ?? 0;
        return pid !== 0;
      }, "the next process");
      // One as soon as it is there, one while it opens the image, one that serves.
      if (i % 3 === 1) await until(() => statOf(pid) === undefined || hasOpen(pid, boot), "an open image");
      if (i % 3 === 2)
        await until(() => daemon.serving() === pid || statOf(pid) === undefined, "one that serves");
      kill(pid);
      killed.add(pid);
    }
    await until(
      () => wentOn(daemon) > 0 && ![undefined, ...killed].includes(daemon.serving()),
      "the last one",
    );
    expect(await ask('diff -r --no-dereference "$1" "$2"', source, daemon.mountpoint)).toBe("");
    expect((await readers.end()).failed).toEqual([]);
    const after = await settled(daemon);
    // Workers join while there is a crowd.
    expect({ ...after, threads: 0, child: 0 }).toEqual({ ...before, threads: 0, child: 0 });
    expect(await daemon.stop()).toBe(0);
  });

  it("open, listed, cached and mapped files go on, and so do first lookups", async () => {
    const { flags, source } = tarImage(TREE);
    const daemon = await startKept(flags);
    const holder = await hold(
      'cd "$1"; exec 3<big1 4<d2; ls -la /proc/self/fd/4/ >/dev/null; ls d3 >/dev/null',
      'cat <&3 | cmp - "$2/big1" && ls d3 d4 | wc -l && cat d2/f1 | cmp - "$2/d2/f1"; stat -f . >/dev/null; echo $?',
      daemon.mountpoint,
      source,
    );
    await daemon.crash();
    expect(await holder.release()).toBe("63\n0\n");
    expect(await ask('diff -r --no-dereference "$1" "$2"', source, daemon.mountpoint)).toBe("");
    expect(await daemon.stop()).toBe(0);
  });

  it("image files that were deleted meanwhile answer EIO, the rest is served", async () => {
    const made = tarImage("head -c 300000 /dev/urandom >a; mkdir d; echo text >d/f");
    const daemon = await startKept(made.flags);
    await ask('cat "$1/a" >/dev/null', daemon.mountpoint);
    rmSync(made.tar);
    await daemon.crash();
    expect(daemon.output()).toMatch(/ERROR .*image\.tar: .*reads of it answer EIO/);
    expect(await ask('ls "$1" "$1/d" | sort -u', daemon.mountpoint)).toContain("a\n");
    const { stderr } = await shell('cat "$1/d/f"', daemon.mountpoint);
    expect(stderr).toContain("Input/output error");
    expect(await daemon.stop()).toBe(0);
  });

  it("when no process can take over, everything answers EIO until SIGHUP", async () => {
    const made = tarImage("echo one >one; echo two >two; head -c 100000 /dev/urandom >big");
    const daemon = await startKept(made.flags);
    const holder = await hold(
      'exec 3<"$1/big"',
      'cat <&3 | cmp - "$2/big" && echo same',
      daemon.mountpoint,
      made.source,
    );
    const away = `${made.boot}.away`;
    renameSync(made.boot, away);
    writeFileSync(made.boot, readFileSync(away).fill(0, 1024, 2048));
    kill(daemon.serving() ?? 0);
    await until(() => daemon.output().includes("everything answers EIO"), "the end of all tries", 60_000);
    // Trying again would find the same: one process has tried.
    expect(daemon.output().match(/its files answer ESTALE/g)).toHaveLength(1);
    expect(await shell('timeout 240 cat "$1/two"', daemon.mountpoint)).toMatchObject({
      status: 1,
      stdout: "",
    });
    renameSync(away, made.boot);
    const before = wentOn(daemon);
    process.kill(daemon.pid, "SIGHUP");
    await until(() => wentOn(daemon) > before, "the next process");
    expect(await ask('cat "$1/one" "$1/two"', daemon.mountpoint)).toBe("one\ntwo\n");
    expect(await holder.release()).toBe("same\n");
    expect(await daemon.stop()).toBe(0);
  });

  it("SIGTERM unmounts a mount that answers EIO, with status 1", async () => {
    const made = tarImage("echo one >one");
    const daemon = await startKept(made.flags);
    writeFileSync(made.boot, "nothing");
    kill(daemon.serving() ?? 0);
    await until(() => daemon.output().includes("everything answers EIO"), "the end of all tries", 60_000);
    expect(await daemon.stop()).toBe(1);
    expect(isMounted(daemon.mountpoint)).toBe(false);
    expect(readdirSync(daemon.stateDir)).toEqual([]);
  });

  it.each(["umount", "umount -l", "abort"])(
    "%s between two serving processes: the next one sees that, and ends",
    async (how) => {
      const { flags } = tarImage("echo text >f");
      const daemon = await startKept(flags);
      const minor = mountAt(daemon.mountpoint)?.device.split(":")[1];
      const control = workDir();
      await ask('mount -t fusectl none "$1"', control);
      // As soon as it is dead, and before anybody else can be there.
      const end = how === "abort" ? `echo 1 >"$3/${minor}/abort"` : `${how} "$2"`;
      await ask(`kill -9 "$1"; ${end}; umount -l "$3"`, String(daemon.serving()), daemon.mountpoint, control);
      expect(await daemon.exited).toBe(how === "abort" ? 1 : 0);
      expect(isMounted(daemon.mountpoint)).toBe(false);
      expect(readdirSync(daemon.stateDir)).toEqual([]);
    },
  );

  it("--standby takes over from files that were deleted since, and another one stands by", async () => {
    const made = tarImage(TREE);
    const daemon = await startKept([...made.flags, "--standby"]);
    const standbys = () => childrenOf(daemon.pid).filter((pid) => pid !== daemon.serving());
    const isReady = () => standbys().length === 1 && standbys().every((pid) => hasOpen(pid, made.tar));
    await until(isReady, "the standby, which has opened everything");
    rmSync(made.tar);
    rmSync(made.boot);
    const readers = await startReaders(2, daemon.mountpoint, SEED);
    await daemon.crash();
    await until(() => standbys().length === 1, "the next standby");
    expect((await readers.end()).failed).toEqual([]);
    expect(await ask('diff -r --no-dereference "$1" "$2"', made.source, daemon.mountpoint)).toBe("");
    expect(stateOf(daemon.stateDir)).toMatchObject({ takeovers: { all: 1, crashes: 1 } });
    expect(await daemon.stop()).toBe(0);
  });
});

it("a killed keeper leaves a mount that is served; --recover keeps it again, or mounts afresh", async () => {
  const { path, devices } = fixture("04-large");
  const image = ["--bootstrap", path, ...blobFlags(devices)];
  const daemon = await startKept(image);
  const held = await hold('exec 3<"$1/m1p1"', "sha256sum <&3", daemon.mountpoint);
  const child = daemon.serving() ?? 0;
  const sum = await ask('sha256sum <"$1/m1p1"', daemon.mountpoint);
  kill(daemon.pid);
  await daemon.exited;
  expect(await ask('sha256sum <"$1/m1p1"', daemon.mountpoint)).toBe(sum);
  const next = await startKept(["--recover", ...image, "--state-dir", daemon.stateDir], daemon.mountpoint);
  expect(next.output()).toContain(`process ${child} serves it without a keeper`);
  await until(() => hasEnded(child), "the end of the old one");
  expect(await held.release()).toBe(sum);
  for (const command of ['--mountpoint "$3" -B x', 'mount x "$3"']) {
    const again = await shell(
      `"$1" ${command} --recover --state-dir "$2"`,
      KEPT,
      daemon.stateDir,
      daemon.mountpoint,
    );
    expect(again.stderr).toContain("lives: there is nothing to recover");
  }
  for (const pid of [next.pid, stateOf(daemon.stateDir)?.serving.pid ?? 0]) kill(pid);
  await next.exited;
  const background = await shell(
    '"$1" --mountpoint "$2" --recover --state-dir "$3" --daemonize "$4" "$5" "$6" "$7"',
    ...[KEPT, daemon.mountpoint, daemon.stateDir, ...image],
  );
  const keeper = Number(/^ready .* pid=(\d+)$/m.exec(background.stdout)?.[1]);
  expect([background.status, keeper > 0]).toEqual([0, true]);
  expect(await ask('sha256sum <"$1/m1p1"', daemon.mountpoint)).toBe(sum);
  for (const pid of [keeper, stateOf(daemon.stateDir)?.serving.pid ?? 0]) kill(pid);
  await until(() => hasEnded(keeper), "the end of the keeper");
  const afresh = await startKept(["--recover", ...image, "--state-dir", daemon.stateDir], daemon.mountpoint);
  expect(afresh.output()).toContain("mounting it anew; files that are open in it are lost");
  expect(await ask('sha256sum <"$1/m1p1"', daemon.mountpoint)).toBe(sum);
  expect(await afresh.stop()).toBe(0);
  expect(readdirSync(daemon.stateDir)).toEqual([]);
});
