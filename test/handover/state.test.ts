import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FormatError } from "../../src/bytes/errors.ts";
import { checksum, formatState, parseState, type SessionState } from "../../src/handover/state.ts";
import { allStates, removeDead, StateFile } from "../../src/handover/state-file.ts";
import { fateOf, type ProcessState, processState } from "../../src/proc/processes.ts";
import { sh, shell } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";

const STATE: SessionState = {
  mountpoint: "/mnt/ä",
  device: "0:57",
  agreed: { minor: 45, maxRead: 1 << 20 },
  traits: { hasXattrs: true, hasAcls: false },
  isFixed: true,
  lastUnique: 2 ** 33,
  since: 1_700_000_000,
  takeovers: { all: 2, crashes: 1 },
  serving: { pid: 1, started: 0 },
  owner: { pid: 1, started: 0 },
  places: [],
  images: [],
  entries: [],
  lastDirectory: 0,
  lastCookie: 2,
  serial: 1,
  burnt: [],
  counts: [[26, 1]],
};

/** A state as another version writes it. */
function written(version: number, reader: number, more: object = {}): Buffer {
  const body = Buffer.from(JSON.stringify({ ...STATE, ...more }));
  return Buffer.concat([
    Buffer.from(`nydusd-ts-state ${version} ${reader} ${body.length} ${checksum(body)}\n`),
    body,
  ]);
}

describe("the state of a session", () => {
  it("is read as it was written", () => expect(parseState(formatState(STATE), "s")).toEqual(STATE));

  it("of the next release is read when that says that this one can, with what it has more", () =>
    expect(parseState(written(2, 1, { colour: "blue" }), "s")).toMatchObject(STATE));

  const refused: [name: string, bytes: Buffer, want: string | RegExp][] = [
    [
      "of a release that needs a later reader",
      written(2, 2),
      "s @0x10: state of version 2, for programs that know 2 or later",
    ],
    ["of a release that is too old", written(0, 0), "s @0x10: state of version 0"],
    ["that is nothing", Buffer.alloc(0), "s @0x0: no state of a session"],
    ["that is something else", Buffer.from("hello\nworld"), "s @0x0: no state of a session"],
    ["without numbers", Buffer.from("nydusd-ts-state\n{}"), "s @0x0: no state of a session"],
    ["that is cut", formatState(STATE).subarray(0, -5), /^s @0x[0-9a-f]+: \d+ bytes of state, want \d+/],
    ["with more behind it", Buffer.concat([formatState(STATE), Buffer.from("x")]), /bytes of state, want/],
  ];
  it.each(refused)("%s is refused", (_, bytes, want) => {
    expect(() => parseState(bytes, "s")).toThrow(want);
    expect(() => parseState(bytes, "s")).toThrow(FormatError);
  });

  it("with any byte changed is refused", () => {
    const whole = formatState(STATE);
    const wrong: number[] = [];
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] ^= 0x01;
      try {
        parseState(bytes, "s");
        wrong.push(at);
      } catch (error) {
        if (!(error instanceof FormatError)) wrong.push(at);
      }
    }
    // The version may become one that says that this program can read it.
    const versions = [whole.indexOf(" 1 1 ") + 1, whole.indexOf(" 1 1 ") + 3];
    expect(wrong.filter((at) => !versions.includes(at))).toEqual([]);
  });
});

describe("the file that it is in", () => {
  it("is private, and gone in the end", () => {
    const dir = join(scratchDir(), "state");
    const file = StateFile.in(dir, process.pid);
    file.write(STATE);
    file.write({ ...STATE, serial: 2 });
    expect(file.read()?.serial).toBe(2);
    expect([statSync(dir).mode & 0o777, statSync(file.path).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(readdirSync(dir).map((name) => name.replace(/^.*\./, ""))).toEqual(["alive", "state"]);
    file.remove();
    expect([readdirSync(dir), file.read()]).toEqual([[], undefined]);
  });

  it("takes the next state in the room that it has, and the one before stays until that is whole", () => {
    const file = StateFile.in(join(scratchDir(), "state"), process.pid);
    file.write(STATE);
    const { ino, size } = statSync(file.path);
    for (let serial = 2; serial < 6; serial++) {
      file.write({ ...STATE, serial });
      expect([statSync(file.path).ino, statSync(file.path).size]).toEqual([ino, size]);
      const whole = readFileSync(file.path);
      for (const cut of [0, 10, 200]) {
        // What a process that is killed meanwhile leaves of the newest.
        const at = serial % 2 === 0 ? size / 2 : 0;
        writeFileSync(file.path, Buffer.from(whole).fill(0x20, at + cut, at + size / 2));
        expect(file.read()?.serial).toBe(serial - 1 || STATE.serial);
      }
      writeFileSync(file.path, whole);
      // Another process goes on with it.
      expect(StateFile.at(file.path.replace(".state", "")).read()?.serial).toBe(serial);
    }
  });

  it("that needs more room is replaced, or stays as it was when that cannot be", () => {
    const file = StateFile.in(join(scratchDir(), "state"), process.pid);
    file.write(STATE);
    const big = { ...STATE, burnt: Array.from({ length: 5_000 }, (_, slot) => slot) };
    mkdirSync(`${file.path}.tmp`);
    expect(() => file.write(big)).toThrow(/EISDIR/);
    expect(file.read()).toEqual(STATE);
    file.write({ ...STATE, serial: 3 });
    expect(file.read()?.serial).toBe(3);
    rmdirSync(`${file.path}.tmp`);
    file.write(big);
    expect(file.read()).toEqual(big);
    file.write({ ...big, serial: 4 });
    expect(file.read()?.serial).toBe(4);
  });

  it("of an older version is read, and becomes one with room", () => {
    const file = StateFile.in(join(scratchDir(), "state"), process.pid);
    writeFileSync(file.path, formatState(STATE), { mode: 0o600 });
    expect(file.read()).toEqual(STATE);
    file.write({ ...STATE, serial: 2 });
    expect([file.read()?.serial, statSync(file.path).size % 8192]).toEqual([2, 0]);
  });

  it("is made again with its directory when that was removed", () => {
    const dir = join(scratchDir(), "state");
    const file = StateFile.in(dir, process.pid);
    file.write(STATE);
    rmSync(dir, { recursive: true });
    expect(file.read()).toBeUndefined();
    file.write({ ...STATE, serial: 2 });
    expect(file.read()?.serial).toBe(2);
  });

  it("says that the session is over where its name cannot be removed", () => {
    const dir = join(scratchDir(), "state");
    const file = StateFile.in(dir, process.pid);
    file.write(STATE);
    mkdirSync(`${file.path}.tmp`); // rm fails
    expect(() => file.remove()).toThrow();
    expect(file.read()).toBeUndefined();
  });

  const strangers: [name: string, change: (path: string) => void, want: string][] = [
    ["is another user's", (path) => chownSync(path, 1234, 0), "belongs to user 1234"],
    ["others may write", (path) => chmodSync(path, 0o622), "every user may write to it"],
    ["is no file", (path) => sh('rm "$P"; mkdir "$P"', { P: path }), "not a regular file"],
  ];
  it.runIf(process.geteuid?.() === 0).each(strangers)("is not believed when it %s", (_, change, want) => {
    const dir = join(scratchDir(), "state");
    const file = StateFile.in(dir, process.pid);
    file.write(STATE);
    change(file.path);
    expect(() => file.read()).toThrow(want);
    expect(allStates(dir)).toEqual([]);
  });

  it.runIf(process.geteuid?.() === 0)("is not believed in a directory of another user", () => {
    const dir = join(scratchDir(), "state");
    StateFile.in(dir, process.pid).write(STATE);
    chownSync(dir, 1234, 0);
    expect(() => allStates(dir)).toThrow(`state directory ${dir}: belongs to user 1234`);
    expect(() => StateFile.at(join(dir, "x"))).toThrow("belongs to user 1234");
  });

  it("is refused in a directory where others may write", () => {
    const dir = join(scratchDir(), "state");
    mkdirSync(dir, { mode: 0o777 });
    const old = process.umask(0);
    mkdirSync(`${dir}2`, { mode: 0o777 });
    process.umask(old);
    expect(() => StateFile.in(`${dir}2`, process.pid)).toThrow(
      /every user may write to it; choose another with --state-dir/,
    );
  });

  it("is refused where its socket's path would be too long", () =>
    expect(() => StateFile.in(join(scratchDir(), "x".repeat(100)), process.pid)).toThrow(
      /longer than a socket's path may be; choose another with --state-dir/,
    ));

  it("of a session that is over is removed, and of no other", async () => {
    const dir = join(scratchDir(), "state");
    const dead = StateFile.at(join(StateFile.in(dir, process.pid).path, "../1-1"));
    const gone = { pid: process.pid, started: 1 };
    dead.write({ ...STATE, owner: gone, serving: gone });
    const odd = join(dir, "odd.state");
    writeFileSync(odd, "no state");
    const checked = ["1-1.3.checked", "2-2.7.checked", "odd.1.checked", "x.checked"];
    for (const name of checked) writeFileSync(join(dir, name), "");
    removeDead(dir, () => false);
    // Of a session without a state nothing is of use.
    expect(checked.filter((name) => existsSync(join(dir, name)))).toEqual([
      "1-1.3.checked",
      "odd.1.checked",
      "x.checked",
    ]);
    expect(allStates(dir)).toHaveLength(1); // this process holds it still
    // As a process would that has ended.
    rmSync(join(dir, "1-1.alive"));
    removeDead(dir, (mountpoint) => mountpoint === STATE.mountpoint);
    expect(allStates(dir)).toHaveLength(1);
    removeDead(dir, () => false);
    expect([allStates(dir), readFileSync(odd, "utf8")]).toEqual([[], "no state"]);
  });
});

describe("who lives", () => {
  const here = processState(process.pid);
  const [boot, namespace] = (here.space ?? "").split("/");
  const table: [name: string, process: ProcessState, want: string][] = [
    ["this process", here, "alive"],
    ["one that had its number", { ...here, started: 1 }, "dead"],
    ["one of an older version", { pid: here.pid, started: here.started }, "alive"],
    ["one of another boot", { ...here, space: `other/${namespace}` }, "dead"],
    ["one of another pid namespace", { ...here, space: `${boot}/1` }, "elsewhere"],
  ];
  it.each(table)("%s", (_, process, want) => expect(fateOf(process)).toBe(want));

  it("is told by the fifo in every namespace, and by nothing when its processes have ended", async () => {
    const dir = join(scratchDir(), "state");
    const path = join(StateFile.in(dir, process.pid).path, "../1-1.alive");
    const file = StateFile.at(path.replace(".alive", ""));
    const elsewhere = { ...here, space: `${boot}/1` };
    const state = { ...STATE, owner: elsewhere, serving: elsewhere };
    expect(file.isServed(state)).toBe(true); // nothing says that it is not
    await shell('mkfifo -m 600 "$1"; exec 3<>"$1"; [ -p /proc/self/fd/3 ]', path);
    expect(file.isServed(state)).toBe(false);
    const { pid, end } = await holding(path);
    expect([pid > 0, file.isServed(state)]).toEqual([true, true]);
    await end();
    expect(file.isServed(state)).toBe(false);
  });
});

/** A process that has the fifo open, as a keeper. */
async function holding(path: string) {
  const child = spawn("sh", ["-c", 'exec 3<>"$1"; echo; exec sleep 60', "x", path], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  const exited = once(child, "exit");
  return { pid: child.pid ?? 0, end: () => (child.kill("SIGKILL") ? exited : undefined) };
}
