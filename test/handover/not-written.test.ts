import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { isMounted, kill, sh, until, workDir } from "../support/daemon.ts";
import { startKept } from "../support/kept.ts";
import { change, must, versions } from "../support/submounts.ts";

/** A daemon whose state is on a disk of its own. */
async function ownDisk() {
  const dir = workDir();
  sh('mkdir "$D"/disk "$D"/there; mount -t tmpfs -o size=128k,mode=0700 tmpfs "$D"/disk', { D: dir });
  const sock = join(dir, "sock");
  const stateDir = join(dir, "disk/state");
  const kept = await startKept(["--apisock", sock, "--state-dir", stateDir]);
  return { ...kept, sock, disk: join(dir, "disk"), stateDir };
}

it("a full disk: what needs no room is written, the rest is refused, and no image is shown as another", async () => {
  const [a, b] = [await versions("echo of a >f"), await versions("echo of b >f")];
  const daemon = await ownDisk();
  const { sock, mountpoint: m } = daemon;
  await must(sock, "POST /a", a);
  sh('cat "$M"/a/f; dd if=/dev/zero of="$D"/full bs=1k 2>/dev/null || true', { D: daemon.disk, M: m });
  await must(sock, "DELETE /a");
  let shown = 0;
  for (; shown < 20; shown++) {
    const { status, text } = await change(sock, `POST /b${shown}`, b);
    if (status === 204) continue;
    expect([status, JSON.parse(text).explanation]).toEqual([
      507,
      expect.stringMatching(/^nothing has changed, for it cannot be written down: \S+\.state: ENOSPC/),
    ]);
    break;
  }
  expect(shown).toBeLessThan(20);
  const names = Array.from({ length: shown }, (_, i) => `b${i}`);
  const seen = () => sh('cd "$M"; ls | sort -V | xargs; cat */f | sort | uniq -c', { M: m });
  const want = `${names.join(" ")}\n${"".padStart(6 - `${shown}`.length)} ${shown} of b\n`;
  expect(seen()).toBe(want);
  await daemon.crash();
  expect(seen()).toBe(want);
  const put = () => change(sock, "PUT /b0", a).catch(() => undefined);
  let said = await put();
  for (; said === undefined; said = await put()) await sleep(10); // it listens a little later
  expect(said.status).toBe(507);
  rmSync(join(daemon.disk, "full"));
  await must(sock, "PUT /b0", a);
  expect(sh('cat "$M"/b0/f', { M: m })).toBe("of a\n");
  expect(await daemon.stop()).toBe(0);
});

it("a directory that is gone is made again, or everything stays as it is", async () => {
  const a = await versions("echo of a >f");
  const daemon = await ownDisk();
  const { sock, mountpoint: m } = daemon;
  await must(sock, "POST /a", a);
  rmSync(daemon.stateDir, { recursive: true });
  writeFileSync(daemon.stateDir, "something else");
  for (const line of ["POST /b", "PUT /a", "DELETE /a"])
    expect([line, (await change(sock, line, line === "DELETE /a" ? undefined : a)).status]).toEqual([
      line,
      507,
    ]);
  expect(sh('cd "$M"; ls; cat a/f', { M: m })).toBe("a\nof a\n");
  rmSync(daemon.stateDir);
  await must(sock, "POST /b", a);
  await daemon.crash();
  expect(sh('cd "$M"; ls; cat a/f', { M: m })).toBe("a\nb\nof a\n");
  expect(await daemon.stop()).toBe(0);
});

it("a mount whose state is gone when its process dies is taken away, and that is said", async () => {
  const daemon = await startKept(["--apisock", join(workDir(), "sock")]);
  const serving = daemon.serving() ?? 0;
  rmSync(daemon.stateDir, { recursive: true });
  kill(serving);
  await until(() => !isMounted(daemon.mountpoint), "the end of the mount");
  await until(() => daemon.output().includes("unmounted"), "the reason");
  expect(daemon.output()).toMatch(
    /ERROR \S+: there is no state to go on with, \S+\.state was removed: unmounted/,
  );
  expect(daemon.output()).not.toContain("before it had mounted anything");
});

it("a mount whose state cannot be written is none", async () => {
  const dir = workDir();
  sh(
    'mkdir "$D"/disk; mount -t tmpfs -o size=16k,mode=0700 tmpfs "$D"/disk; dd if=/dev/zero of="$D"/disk/full 2>/dev/null || true',
    { D: dir },
  );
  await expect(startKept(["--apisock", join(dir, "sock"), "--state-dir", join(dir, "disk")])).rejects.toThrow(
    /Error: \S+\.state: ENOSPC.*; make room there, or choose another with --state-dir/,
  );
});
