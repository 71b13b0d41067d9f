import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FormatError } from "../../src/bytes/errors.ts";
import { checksum, formatState, parseState, type SessionState } from "../../src/handover/state.ts";
import { allStates, removeDead, StateFile } from "../../src/handover/state-file.ts";
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
  it("is private, replaced whole, and gone in the end", () => {
    const dir = join(scratchDir(), "state");
    const file = StateFile.in(dir, process.pid);
    file.write(STATE);
    file.write({ ...STATE, serial: 2 });
    expect(file.read()?.serial).toBe(2);
    expect([statSync(dir).mode & 0o777, statSync(file.path).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(readdirSync(dir)).toHaveLength(1);
    file.remove();
    expect([readdirSync(dir), file.read()]).toEqual([[], undefined]);
  });

  it("keeps what was there when it cannot be written", () => {
    const dir = join(scratchDir(), "state");
    const file = StateFile.in(dir, process.pid);
    file.write(STATE);
    mkdirSync(`${file.path}.tmp`);
    expect(() => file.write({ ...STATE, serial: 2 })).toThrow(/EISDIR/);
    expect(file.read()).toEqual(STATE);
  });

  it("is refused in a directory where others may write", () => {
    const dir = join(scratchDir(), "state");
    mkdirSync(dir, { mode: 0o777 });
    const old = process.umask(0);
    mkdirSync(`${dir}2`, { mode: 0o777 });
    process.umask(old);
    expect(() => StateFile.in(`${dir}2`, process.pid)).toThrow(
      /others may write there; choose another with --state-dir/,
    );
  });

  it("is refused where its socket's path would be too long", () =>
    expect(() => StateFile.in(join(scratchDir(), "x".repeat(100)), process.pid)).toThrow(
      /longer than a socket's path may be; choose another with --state-dir/,
    ));

  it("of a session that is over is removed, and of no other", () => {
    const dir = join(scratchDir(), "state");
    const dead = StateFile.in(dir, process.pid);
    dead.write({
      ...STATE,
      owner: { pid: process.pid, started: 1 },
      serving: { pid: process.pid, started: 1 },
    });
    const odd = join(dir, "odd.state");
    writeFileSync(odd, "no state");
    removeDead(dir, (mountpoint) => mountpoint === STATE.mountpoint);
    expect(allStates(dir)).toHaveLength(1);
    removeDead(dir, () => false);
    expect([allStates(dir), readFileSync(odd, "utf8")]).toEqual([[], "no state"]);
  });
});
