import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { say, startManaged } from "../support/api.ts";
import { ask, type Daemon, start, startFixture, until, workDir } from "../support/daemon.ts";
import { tarImage } from "../support/tar-image.ts";

const FORGED = "z\\n[2026-01-01T00:00:00.000Z] TRACE reply unique=1 op=read bytes=1 us=1";
const image = () =>
  tarImage(
    `mkdir dir; printf hello > dir/file; printf x > "$(printf 'a\\n${FORGED}')"; printf x > 'a" unique=7'`,
  );

/** What was logged of requests, without the time. */
const traced = (output: string): string[] =>
  output
    .split("\n")
    .filter((line) => line.includes(" TRACE "))
    .map((line) => line.slice(line.indexOf(" TRACE ") + " TRACE ".length));

const numberOf = (line: string): string =>
  /^(?:request|reply) unique=(\d+) /.exec(line)?.[1] ?? expect.fail(line);

/** Each reply comes after its request, once, and says the same operation. */
function expectPairs(lines: readonly string[]): void {
  const open = new Map<string, string>();
  for (const line of lines) {
    const operation = / op=(\w+) /.exec(line)?.[1] ?? expect.fail(line);
    const number = numberOf(line);
    if (line.startsWith("request ")) {
      expect(open.has(number), line).toBe(false);
      if (!/forget$|^interrupt$|^notify_reply$/.test(operation)) open.set(number, operation);
    } else {
      expect(open.get(number), line).toBe(operation);
      open.delete(number);
    }
  }
  expect([...open]).toEqual([]);
}

describe("--log-level trace", () => {
  it("shows each request and its reply, and a READ with its file", async () => {
    const daemon = await start([...image().flags, "--log-level", "trace"]);
    expect(
      await ask(
        'cat "$1/dir/file"; ls "$1" >/dev/null; cat "$1/none" 2>/dev/null || true',
        daemon.mountpoint,
      ),
    ).toBe("hello");
    expect(await daemon.stop()).toBe(0);
    const lines = traced(daemon.output());
    expectPairs(lines);
    expect(lines[0]).toMatch(/^request unique=\d+ op=init node=0 pid=\d+ protocol=7\.\d+$/);
    const replyTo = (request: RegExp) => {
      const line =
        lines.find((each) => request.test(each)) ?? expect.fail(`${request} in ${lines.join("\n")}`);
      return lines.find((each) => each.startsWith(`reply unique=${numberOf(line)} `)) ?? expect.fail(line);
    };
    const dir = / bytes=128 node=(\d+) us=\d+$/.exec(replyTo(/ op=lookup node=1 pid=\d+ name="dir"$/))?.[1];
    const file = / node=(\d+) us/.exec(
      replyTo(new RegExp(` op=lookup node=${dir} pid=\\d+ name="file"$`)),
    )?.[1];
    expect(replyTo(new RegExp(` op=read node=${file} pid=\\d+ offset=0 size=\\d+$`))).toMatch(
      / op=read bytes=5 us=\d+$/,
    );
    expect(replyTo(/ name="none"$/)).toMatch(/ op=lookup bytes=128 node=0 us=\d+$/); // which the kernel may remember
    expect(replyTo(/ op=readdirplus node=1 pid=\d+ offset=0 size=\d+$/)).toMatch(/ bytes=\d+ us=\d+$/);
  });

  it("is one line a request, whatever names are in the image and are asked for", async () => {
    const daemon = await start([...image().flags, "--log-level", "trace"]);
    const forged = "reply unique=1 op=read bytes=1 us=1";
    const script = `cat "$1"/a*; ls "$1" >/dev/null; cat "$1/$(printf 'q\\n${forged}')" 2>/dev/null || true`;
    expect(await ask(script, daemon.mountpoint)).toBe("xx");
    expect(await daemon.stop()).toBe(0);
    const lines = traced(daemon.output());
    expectPairs(lines);
    expect(daemon.output().split("\n")).not.toContain(forged);
    expect(lines).toContainEqual(
      expect.stringMatching(/^request unique=\d+ op=lookup .* name="q\\x0areply unique=1 .*"$/),
    );
  });

  it("writes the same to a JSON log", async () => {
    const log = join(workDir(), "d.log");
    const daemon = await start([...image().flags, "--log-level", "trace", "--log-file", log]);
    await ask('cat "$1/dir/file" >/dev/null', daemon.mountpoint);
    expect(await daemon.stop()).toBe(0);
    const all = readFileSync(log, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const lines = all.filter(({ level }) => level === "trace").map(({ message }) => message as string);
    expectPairs(lines);
    expect(lines.filter((line) => line.includes(" op=read ")).length).toBe(2);
  });

  it("shows paths and no node with fuse-native", async () => {
    const daemon = await start([...image().flags, "--transport", "fuse-native", "--log-level", "trace"]);
    await ask('cat "$1/dir/file" >/dev/null; cat "$1"/a* >/dev/null', daemon.mountpoint);
    expect(await daemon.stop()).toBe(0);
    const lines = traced(daemon.output());
    expectPairs(lines);
    const read =
      lines.find((line) => / op=read path="\/dir\/file" offset=0 size=\d+$/.test(line)) ?? expect.fail();
    expect(lines).toContainEqual(
      expect.stringMatching(`^reply unique=${numberOf(read)} op=read bytes=5 us=\\d+$`),
    );
    expect(lines).toContainEqual(expect.stringMatching(/ op=getattr path="\/a\\x22 unique=7"$/));
  });

  it("loses no line of a burst without saying so", async () => {
    const daemon = await startFixture("04-large", ["--log-level", "trace"]);
    await ask('find "$1" -type f -exec cat {} + >/dev/null', daemon.mountpoint);
    expect(await daemon.stop()).toBe(0);
    const all = traced(daemon.output());
    const leftOut = all.flatMap(
      (line) => /^(\d+) requests and their replies were left out/.exec(line)?.[1] ?? [],
    );
    const lines = all.filter((line) => /^re(quest|ply) /.test(line));
    expectPairs(lines);
    expect(lines.length).toBeGreaterThan(10);
    const served = JSON.parse(/served (\{.*\})/.exec(daemon.output())?.[1] ?? "{}") as Record<string, number>;
    const { lookup = 0, read = 0 } = served;
    const shown = lines.filter(
      (line) => / op=(lookup|read) /.test(line) && line.startsWith("request"),
    ).length;
    if (leftOut.length === 0) expect(shown).toBe(lookup + read);
    else expect(shown).toBeLessThan(lookup + read);
  });
});

describe("without --log-level trace", () => {
  const count = (daemon: Daemon) =>
    traced(daemon.output()).filter((line) => / op=(?!init)/.test(line)).length;

  it("no request is shown at debug, until the API sets the level, and none when it sets it back", async () => {
    const daemon = await startManaged("04-large", "--log-level", "debug");
    const stat = () => ask('stat -f "$1" >/dev/null', daemon.mountpoint); // STATFS is never answered from a cache
    const set = (log_level: string) => say(daemon.sock, "PUT /api/v1/daemon", JSON.stringify({ log_level }));
    await stat();
    expect(count(daemon)).toBe(0);
    expect(await set("trace")).toMatchObject({ status: 204 });
    await stat();
    await until(
      () => /^reply unique=\d+ op=statfs bytes=80 /m.test(traced(daemon.output()).join("\n")),
      "the reply",
    );
    expect(await set("debug")).toMatchObject({ status: 204 });
    const shown = count(daemon);
    await stat();
    expect(await daemon.stop()).toBe(0);
    expect(count(daemon)).toBe(shown);
  });
});
