import { copyFileSync, readFileSync, statSync, truncateSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { blobFlags, run, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { contextOf, counted, infoOf, RawClient, u16, u32, u64 } from "./client.ts";
import { serveNbd } from "./served.ts";

const MERGED = fixture("12-merged");
/** The disk, whose end is padded to 4 KiB. */
const DISK = (() => {
  const genuine = readFileSync(fixture("13-export-disk").path);
  return Buffer.concat([genuine, Buffer.alloc(-genuine.length & 4095)]);
})();
const merged = () =>
  serveNbd([MERGED.path, ...blobFlags(MERGED.devices), "--export", `flat=${fixture("13-export-disk").path}`]);
const EPERM = 1;
const EINVAL = 22;
const EOVERFLOW = 75;

describe("the handshake", () => {
  it("lists what there is, tells of sizes, and says of what it does not know that it does not", async () => {
    const { socket } = await merged();
    const client = await RawClient.connect(socket);
    await client.hello();
    expect(await client.option(3)).toEqual([
      [2, counted("")],
      [2, counted("flat")],
      [1, Buffer.alloc(0)],
    ]);
    const [size, blocks, ack] = await client.option(6, infoOf("flat"));
    expect(size).toEqual([3, Buffer.concat([u16(0), u64(DISK.length), u16(0x503)])]);
    expect(blocks).toEqual([3, Buffer.concat([u16(3), u32(512), u32(4096), u32(32 << 20)])]);
    expect(ack?.[0]).toBe(1);
    const refused: [option: number, data: Buffer, type: number][] = [
      [6, infoOf("none"), 0x80000006], // unknown export
      [7, Buffer.from("xx"), 0x80000003], // invalid
      [7, Buffer.concat([u32(0xffffffff), u16(0)]), 0x80000003],
      [3, Buffer.from("x"), 0x80000003],
      [5, Buffer.alloc(0), 0x80000002], // no TLS
      [4, Buffer.alloc(0), 0x80000001], // unknown option
      [999, Buffer.alloc(100), 0x80000001],
      [10, contextOf("", "base:allocation"), 0x80000003], // before structured replies
      [6, Buffer.alloc(100_000), 0x80000009], // too big
    ];
    for (const [option, data, type] of refused)
      expect((await client.option(option, data)).at(-1)?.[0]).toBe(type);
    expect((await client.option(8))[0]?.[0]).toBe(1);
    expect(await client.option(9, contextOf("", "base:"))).toHaveLength(2);
    expect(await client.option(10, contextOf("", "other:x"))).toHaveLength(1);
    expect(await client.option(10, contextOf("", "base:allocation"))).toHaveLength(2);
    expect(await client.option(2)).toEqual([[1, Buffer.alloc(0)]]); // ABORT is acknowledged
    expect(await client.ends()).toBe(true);
  });

  it.each([
    [1, 124],
    [3, 0],
  ])("EXPORT_NAME of an old client with flags %i gets %i zeros", async (flags, zeros) => {
    const { socket } = await merged();
    const client = await RawClient.connect(socket);
    await client.hello(flags);
    client.say(Buffer.from("IHAVEOPT"), u32(1), u32(4), Buffer.from("flat"));
    expect(await client.take(10 + zeros)).toEqual(
      Buffer.concat([u64(DISK.length), u16(0x503), Buffer.alloc(zeros)]),
    );
    client.request(0, 1024, 4);
    expect((await client.simple(4)).data.toString("hex")).toBe("e2e1f5e0");
  });

  it.each<[string, (client: RawClient) => void]>([
    ["flags that there are not", (client) => client.say(u32(0x100))],
    ["no option", (client) => client.say(u32(3), Buffer.from("GARBAGE!"), u32(1), u32(0))],
    [
      "a name that there is not",
      (client) => client.say(u32(3), Buffer.from("IHAVEOPT"), u32(1), u32(4), Buffer.from("none")),
    ],
    [
      "a name of a gigabyte",
      (client) => client.say(u32(3), Buffer.from("IHAVEOPT"), u32(1), u32(1 << 30), Buffer.alloc(5000)),
    ],
    ["the end of it", (client) => client.socket.end()],
  ])("%s: the server hangs up, and serves others", async (_, say) => {
    const served = await merged();
    const client = await RawClient.connect(served.socket);
    await client.take(18);
    say(client);
    if (_.includes("gigabyte")) client.close();
    else expect(await client.ends()).toBe(true);
    const other = await RawClient.connect(served.socket);
    await other.go();
    expect(served.output().trim().split("\n")).toHaveLength(1); // nothing above debug
  });
});

/** Small reads, of which the answers go together, among all else. */
function mixed(i: number): [type: number, offset: number, length: number, error: number] {
  if (i % 17 === 3) return [0, DISK.length - 100, 4096, EINVAL];
  if (i % 17 === 7) return [1, 0, 5000, EPERM];
  if (i % 17 === 11) return [0, 300_000, 200_000, 0];
  if (i % 17 === 13) return [5, 0, 4096, 0];
  return [0, (i * 7919) % (DISK.length - 20_000), 1 + ((i * 1009) % 16_384), 0];
}

describe("transmission", () => {
  it("reads at any offset and length", async () => {
    const { socket } = await merged();
    const client = await RawClient.connect(socket);
    await client.go();
    for (const [offset, length] of [
      [0, 1],
      [1, 511],
      [1023, 70_001],
      [DISK.length - 3, 3],
      [500_000, 600_000],
      [7, 0],
    ]) {
      client.request(0, offset, length);
      expect((await client.simple(length)).data.equals(DISK.subarray(offset, offset + length))).toBe(true);
    }
  });

  it.each([false, true])("answers what comes together in its order, structured: %s", async (isStructured) => {
    const { socket } = await merged();
    const client = await RawClient.connect(socket);
    await client.go("", isStructured);
    const all = Array.from({ length: 120 }, (_, i) => mixed(i));
    for (const [type, offset, length] of all)
      client.request(type, offset, length, 0, type === 1 ? Buffer.alloc(length) : undefined);
    for (const [type, offset, length, error] of all) {
      const asked = type === 0 ? length : 0;
      const isChunks = isStructured && type !== 1;
      const answer = await (isChunks ? client.structured(offset, asked) : client.simple(asked));
      expect(answer.error).toBe(error);
      if (error === 0) expect(answer.data.equals(DISK.subarray(offset, offset + asked))).toBe(true);
    }
    client.request(0, 0, 512);
    client.request(2, 0, 0);
    const last = isStructured ? await client.structured(0, 512) : await client.simple(512);
    expect(last.data.equals(DISK.subarray(0, 512))).toBe(true);
    expect(await client.ends()).toBe(true);
  });

  it("sends holes as such, or all in one chunk", async () => {
    const { socket } = await merged();
    const client = await RawClient.connect(socket);
    await client.go("", true);
    client.request(0, 0, DISK.length);
    const whole = await client.structured(0, DISK.length);
    expect(whole.data.equals(DISK)).toBe(true);
    expect(whole.chunks.filter((type) => type === 2)).toHaveLength(3);
    client.request(0, 0, DISK.length, 4);
    const single = await client.structured(0, DISK.length);
    expect([single.chunks, single.data.equals(DISK)]).toEqual([[1], true]);
    client.request(0, 5, 0);
    expect((await client.structured(5, 0)).chunks).toEqual([0]);
  });

  it("says where holes are", async () => {
    const { socket } = await merged();
    const client = await RawClient.connect(socket);
    await client.go("", true);
    const status = async (offset: number, length: number, flags = 0) => {
      client.request(7, offset, length, flags);
      const body = (await client.take(20)).readUInt32BE(16);
      const data = (await client.take(body)).subarray(4);
      return Array.from({ length: data.length / 8 }, (_, i) => [
        data.readUInt32BE(8 * i),
        data.readUInt32BE(8 * i + 4),
      ]);
    };
    const all = await status(0, DISK.length);
    expect(all.reduce((sum, [length = 0]) => sum + length, 0)).toBe(DISK.length);
    let at = 0;
    for (const [length = 0, flags] of all) {
      expect([at % 4096, length % 4096]).toEqual([0, 0]); // what pads a tar's last block is no hole
      if (flags === 3) expect(DISK.subarray(at, at + length).every((byte) => byte === 0)).toBe(true);
      at += length;
    }
    expect(all.map(([, flags]) => flags)).toEqual([0, 3, 0, 3, 0, 3, 0]);
    expect(await status(100, DISK.length - 100, 8)).toHaveLength(1);
  });

  it("refuses what changes a disk, reads what comes with it, and goes on", async () => {
    const { socket } = await merged();
    for (const isStructured of [false, true]) {
      const client = await RawClient.connect(socket);
      await client.go("", isStructured);
      client.request(1, 0, 300_000, 0, Buffer.alloc(300_000, 1));
      expect((await client.simple()).error).toBe(EPERM);
      for (const type of [4, 6]) {
        client.request(type, 0, 4096);
        expect((await client.simple()).error).toBe(EPERM);
      }
      client.request(77, 0, 4096);
      expect((await client.simple()).error).toBe(EINVAL);
      client.request(5, 0, DISK.length);
      if (isStructured) expect((await client.structured(0, 0)).error).toBe(0);
      else expect((await client.simple()).error).toBe(0);
      client.request(0, 1024, 4);
      const { data } = isStructured ? await client.structured(1024, 4) : await client.simple(4);
      expect(data.toString("hex")).toBe("e2e1f5e0");
      client.request(2, 0, 0);
      expect(await client.ends()).toBe(true);
    }
  });

  it.each<[string, number | bigint, number, number]>([
    ["behind the end", DISK.length - 1, 2, EINVAL],
    ["far behind the end", 2n ** 63n, 1, EINVAL],
    ["at the end of numbers", 2n ** 64n - 1n, 4096, EINVAL],
    ["more than is said to be allowed", 0, (32 << 20) + 1, EOVERFLOW],
  ])("refuses a read %s", async (_, offset, length, error) => {
    const { socket } = await merged();
    const simple = await RawClient.connect(socket);
    await simple.go();
    simple.request(0, offset, length);
    expect((await simple.simple()).error).toBe(error);
    const structured = await RawClient.connect(socket);
    await structured.go("", true);
    structured.request(0, offset, length);
    expect((await structured.structured(0, 0)).error).toBe(error);
  });

  it("answers with an error for a tar that became shorter, never with zeros, and says so in the log", async () => {
    const { path, devices } = fixture("04-large");
    const tar = join(workDir(), "tar");
    copyFileSync(devices[0], tar);
    const served = await serveNbd([path, "--blob", `1=${tar}`]);
    truncateSync(tar, 1024);
    for (const isStructured of [false, true]) {
      const client = await RawClient.connect(served.socket);
      await client.go("", isStructured);
      client.request(0, 0x80000 + 4096, 4096);
      const { error } = isStructured
        ? await client.structured(0x80000 + 4096, 4096)
        : await client.simple(4096);
      expect(error).toBe(5);
      client.request(0, 1024, 4);
      expect((isStructured ? await client.structured(1024, 4) : await client.simple(4)).error).toBe(0);
    }
    expect(served.output()).toMatch(/ends at byte \d+, it was longer when it was opened/);
  });
});

describe("the socket", () => {
  it("of a server that is alive is not taken, that of a dead one is", async () => {
    const served = await merged();
    const again = run(["nbd", MERGED.path, ...blobFlags(MERGED.devices), "--socket", served.socket]);
    expect([again.status, again.stderr]).toEqual([1, expect.stringMatching(/another process answers there/)]);
    await served.stop("SIGKILL");
    const next = await serveNbd([MERGED.path, ...blobFlags(MERGED.devices)], served.socket);
    expect(await next.stop()).toBe(0);
    expect(() => readFileSync(served.socket)).toThrow(/ENOENT/);
  });

  it("is its owner's alone", async () => {
    const { socket } = await merged();
    expect(statSync(socket).mode & 0o777).toBe(0o600);
  });

  it.each<[string[], RegExp]>([
    [[], /want --socket or --listen/],
    [["--socket", "/x", "--listen", "10809"], /want one address/],
    [["--listen", "0.0.0.0:10809"], /there is no TLS here/],
    [["--socket", "/x", "--export", "a"], /NAME=IMAGE/],
    [["--socket", "/x", "--salt", "00"], /want --verity/],
    [["--socket", "/nowhere/x"], /no such directory/],
  ])("%j is refused", (args, says) => {
    const { status, stderr } = run(["nbd", MERGED.path, ...blobFlags(MERGED.devices), ...args]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(says);
  });
});

it("what nobody could have meant leaves the server as it is (1,000 clients)", async () => {
  const served = await merged();
  const words = [
    u32(3),
    u32(1),
    Buffer.from("IHAVEOPT"),
    u32(7),
    u32(8),
    u32(10),
    infoOf(""),
    infoOf("flat"),
    u32(infoOf("").length),
    u32(0x25609513),
    u16(0),
    u16(7),
    u64(0),
    u64(2n ** 63n),
    u32(0xffffffff),
    u32(512),
    Buffer.alloc(3, 0xff),
    contextOf("", "base:allocation"),
  ];
  let seed = 20_261_130;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
  };
  for (let round = 0; round < 50; round++)
    await Promise.all(
      Array.from({ length: 20 }, () => {
        const socket = connect(served.socket);
        socket.on("error", () => {}).on("data", () => {});
        if (random(2) === 0)
          socket.write(
            Buffer.concat([u32(3), Buffer.from("IHAVEOPT"), u32(7), u32(infoOf("").length), infoOf("")]),
          );
        for (let i = random(20); i > 0; i--) socket.write(words[random(words.length)] as Buffer);
        socket.end();
        return new Promise((resolve) => socket.once("close", resolve));
      }),
    );
  const client = await RawClient.connect(served.socket);
  await client.go("", true);
  client.request(0, 0, DISK.length);
  expect((await client.structured(0, DISK.length)).data.equals(DISK)).toBe(true);
  expect(served.output().trim().split("\n").slice(1)).toEqual([]);
});

it("clients that say goodbye and go on talking leave no connection behind", async () => {
  const { socket } = await merged();
  const abort = Buffer.concat([u32(3), Buffer.from("IHAVEOPT"), u32(2), u32(0)]);
  const go = Buffer.concat([u32(3), Buffer.from("IHAVEOPT"), u32(7), u32(6), infoOf("")]);
  const goodbye = Buffer.concat([u32(0x25609513), u16(0), u16(2), Buffer.alloc(20)]);
  // More than the server takes at a time.
  for (let i = 0; i < 300; i++) {
    const client = await RawClient.connect(socket);
    await client.take(18);
    client.say(
      i % 2 === 0 ? abort : Buffer.concat([go, goodbye]),
      Buffer.from("and what else I wanted to say"),
    );
    await client.take(i % 2 === 0 ? 20 : 86);
    expect(await client.ends()).toBe(true);
  }
});
