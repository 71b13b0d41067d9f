import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { OperationalError } from "../../src/bytes/errors.ts";
import { wholeFile } from "../../src/tar/layer-file.ts";
import { compressionOf, type Layer, openLayer } from "../../src/tar/source.ts";
import { until } from "../support/daemon.ts";

const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-source-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** 1.5 MB that are not all the same and compress. */
const PLAIN = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `${(i * 7919) % 100_003}\n`).join(""));
const zstd = (bytes: Uint8Array, ...args: string[]): Buffer =>
  execFileSync("zstd", ["-q", "-c", ...args], { input: bytes, maxBuffer: 1 << 26 });
const skippable = (nibble: number): Buffer =>
  Buffer.from([0x50 | nibble, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, ...Buffer.from("hello")]);

const half = PLAIN.length / 2;
const gz = gzipSync(PLAIN);
const zst = zstd(PLAIN);
const good: { name: string; bytes: Buffer }[] = [
  { name: "plain", bytes: PLAIN },
  { name: "gzip", bytes: gz },
  {
    name: "gzip members",
    bytes: Buffer.concat([gzipSync(PLAIN.subarray(0, half)), gzipSync(""), gzipSync(PLAIN.subarray(half))]),
  },
  { name: "gzip and zeros", bytes: Buffer.concat([gz, Buffer.alloc(1000)]) },
  { name: "zstd", bytes: zst },
  {
    name: "zstd frames",
    bytes: Buffer.concat([
      zstd(PLAIN.subarray(0, half)),
      zstd(Buffer.alloc(0)),
      zstd(PLAIN.subarray(half), "--check"),
    ]),
  },
  { name: "zstd, frames to skip", bytes: Buffer.concat([skippable(0), zst, skippable(15)]) },
  { name: "zstd, long distance", bytes: zstd(PLAIN, "-9", "--long=24") },
];
const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] ^= 0xff;
  return copy;
};
const bad = [
  { name: "gzip cut off", bytes: gz.subarray(0, 100_000), what: "gzip" },
  { name: "gzip without its last bytes", bytes: gz.subarray(0, -4), what: "gzip" },
  { name: "gzip with a wrong checksum", bytes: flipped(gz, gz.length - 7), what: "gzip" },
  { name: "gzip, damaged", bytes: flipped(gz, 50_000), what: "gzip" },
  { name: "zstd cut off", bytes: zst.subarray(0, 100_000), what: "zstd" },
  { name: "zstd without its last bytes", bytes: zst.subarray(0, -2), what: "zstd" },
  {
    name: "zstd and something else",
    bytes: Buffer.concat([zst, Buffer.from("something else")]),
    what: "zstd",
  },
];

const path = process.env["PATH"] ?? "";
afterEach(() => {
  process.env["PATH"] = path;
});
const isThere = (program: string) => spawnSync("which", [program]).status === 0;

/** A PATH with just these programs. */
function onlyPath(...programs: string[]): void {
  const bin = mkdtempSync(join(dir, "bin-"));
  for (const program of programs)
    symlinkSync(
      execFileSync("which", [program], { env: { PATH: path } })
        .toString()
        .trim(),
      join(bin, program),
    );
  process.env["PATH"] = bin;
}
const ways = [
  { way: "in this process", programs: [] },
  { way: "igzip", programs: ["igzip"] },
  { way: "pigz", programs: ["pigz"] },
  { way: "zstd", programs: ["zstd"] },
].filter(({ programs }) => programs.every(isThere));

async function hashOf(layer: Layer): Promise<string> {
  if (layer.kind === "plain") {
    const bytes = readFileSync(layer.fd);
    expect(bytes.length).toBe(layer.size);
    await layer.close();
    return createHash("sha256").update(bytes).digest("hex");
  }
  const hash = createHash("sha256");
  for await (const chunk of layer.chunks) hash.update(chunk);
  await layer.close();
  return hash.digest("hex");
}
const WANT = createHash("sha256").update(PLAIN).digest("hex");
const file = (bytes: Uint8Array): string => {
  const at = join(mkdtempSync(join(dir, "f-")), "misnamed.xz");
  writeFileSync(at, bytes);
  return at;
};
const openFds = () => readdirSync("/proc/self/fd").length;
const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim();

describe.each(ways)("with $way", ({ programs }) => {
  it.each(good)("$name: a file, a fifo, standard input", async ({ bytes }) => {
    onlyPath(...programs);
    const fds = openFds();
    const at = file(bytes);
    expect(await hashOf(await openLayer(wholeFile(at)))).toBe(WANT);
    const fifo = `${at}.fifo`;
    execFileSync("/usr/bin/mkfifo", [fifo]);
    createReadStream(at).pipe(createWriteStream(fifo));
    expect(await hashOf(await openLayer(wholeFile(fifo)))).toBe(WANT);
    const drops = Readable.from(
      Array.from({ length: bytes.length / 1000 + 1 }, (_, i) => bytes.subarray(i * 1000, i * 1000 + 1000)),
    );
    expect(await hashOf(await openLayer(wholeFile("-"), () => drops))).toBe(WANT);
    await until(() => openFds() <= fds, "descriptors to be closed");
    expect(children()).toBe("");
  });

  it.each(bad)("$name", async ({ bytes, what }) => {
    onlyPath(...programs);
    const at = file(bytes);
    for (const [name, open] of [
      [at, () => openLayer(wholeFile(at))],
      ["standard input", () => openLayer(wholeFile("-"), () => createReadStream(at))],
    ] as const) {
      const failure = await open()
        .then(hashOf)
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(OperationalError);
      expect((failure as OperationalError).message).toMatch(
        new RegExp(`^${name}: not ${what}, damaged or cut off: .`),
      );
    }
    expect(children()).toBe("");
  });

  it.each(good)("$name: closed early", async ({ bytes }) => {
    onlyPath(...programs);
    const fds = openFds();
    const at = file(bytes);
    for (const layer of [
      await openLayer(wholeFile(at)),
      await openLayer(wholeFile("-"), () => createReadStream(at)),
    ]) {
      if (layer.kind === "plain") {
        await layer.close();
        continue;
      }
      for await (const chunk of layer.chunks) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      await layer.close();
    }
    const unread = await openLayer(wholeFile("-"), () => createReadStream(at));
    if (unread.kind === "stream") await unread.close();
    await until(() => openFds() <= fds, "descriptors to be closed");
    expect(children()).toBe("");
  });
});

describe("openLayer refuses", () => {
  const script = (name: string, text: string) => {
    const bin = mkdtempSync(join(dir, "bin-"));
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
    process.env["PATH"] = bin + delimiter + path;
  };
  const message = async (of: Promise<Layer>) => of.then(hashOf).catch((error: Error) => error.message);

  it("what is not there", async () =>
    expect(await message(openLayer(wholeFile(join(dir, "none"))))).toBe(`${dir}/none: no such file`));
  it("a directory", async () =>
    expect(await message(openLayer(wholeFile(dir)))).toBe(
      `${dir}: a directory, not a tar; tar -C ${dir} -cf FILE.tar . makes one of it`,
    ));
  it("what its program refuses, with its words", async () => {
    script("igzip", "echo no good >&2; echo 'and advice' >&2; exit 3");
    const at = file(gz);
    expect(await message(openLayer(wholeFile(at)))).toBe(
      `${at}: not gzip, damaged or cut off: igzip ended with status 3: no good`,
    );
  });
  it.each([
    ["igzip: Error (null) does not contain a complete gzip file", "does not contain a complete gzip file"],
    [
      "\nigzip: Compressed file ends unexpectedly;\n\tperhaps it is corrupted?  *Possible* reason follows.\nigzip: x",
      "Compressed file ends unexpectedly; perhaps it is corrupted?",
    ],
    ["igzip: (stdin): Unexpected end of input", "(stdin): Unexpected end of input"],
    ["", ""],
  ])("what is of use of the words %j", async (said, want) => {
    script("igzip", `cat >&2 <<'END'\n${said}\nEND\nexit 1`);
    const words = (await message(openLayer(wholeFile(file(gz))))).split("status 1")[1];
    expect(words).toBe(want === "" ? "" : `: ${want}`);
  });
  it("a device that is not there", async () => {
    const at = join(dir, "device");
    execFileSync("mknod", [at, "b", "250", "99"]);
    expect(await message(openLayer(wholeFile(at)))).toMatch(
      /^\S+\/device: ENXIO: .*; a device, which is not there, or which this process may not use: name a file /,
    );
  });
  it("what kills its program", async () => {
    script("igzip", "kill -9 $$");
    const at = file(gz);
    expect(await message(openLayer(wholeFile(at)))).toBe(
      `${at}: not gzip, damaged or cut off: igzip was ended by SIGKILL`,
    );
  });
  it("what cuts short in this process", async () => {
    onlyPath();
    const at = file(gz.subarray(0, 1000));
    expect(await message(openLayer(wholeFile(at)))).toBe(
      `${at}: not gzip, damaged or cut off: unexpected end of file`,
    );
  });
  it("input that fails", async () => {
    async function* failing() {
      yield gz.subarray(0, 1000);
      throw new Error("EIO: lost");
    }
    for (const programs of [[], ["gzip"]]) {
      onlyPath(...programs);
      expect(await message(openLayer(wholeFile("-"), () => Readable.from(failing())))).toBe(
        "standard input: EIO: lost",
      );
    }
  });
  it("to go on once it is closed", async () => {
    script("igzip", "exec sleep 100");
    const at = file(gz);
    const layer = await openLayer(wholeFile(at));
    const read = message(Promise.resolve(layer));
    if (layer.kind === "stream") await layer.close();
    expect(await read).toBe(`${at}: closed while it was read`);
    expect(children()).toBe("");
  });
});

describe.each(ways)("a fifo whose writer says no more, with $way", ({ programs }) => {
  it.each([
    { name: "plain", bytes: PLAIN },
    { name: "gzip", bytes: gz },
    { name: "zstd", bytes: zst },
  ])("$name: can be closed", async ({ bytes }) => {
    const at = file(bytes.subarray(0, 60_000));
    const fifo = `${at}.fifo`;
    execFileSync("mkfifo", [fifo]);
    const writer = spawn("sh", ["-c", 'exec 3>"$2"; cat "$1" >&3; exec sleep 100', "sh", at, fifo]);
    onlyPath(...programs);
    const layer = await openLayer(wholeFile(fifo));
    if (layer.kind === "plain") throw new Error("a fifo is no file");
    const read = hashOf(layer).catch((error: Error) => error.message);
    const isAsleep = () => readFileSync(`/proc/${writer.pid}/cmdline`, "latin1").startsWith("sleep");
    await until(isAsleep, "all that the writer says");
    await layer.close();
    expect(await read).toBe(`${fifo}: closed while it was read`);
    writer.kill("SIGKILL");
    await new Promise((resolve) => writer.on("close", resolve));
    expect(children()).toBe("");
  });
});

describe("compressionOf", () => {
  const cases = [
    { head: [], want: "none" },
    { head: [0x1f], want: "none" },
    { head: [0x1f, 0x8b], want: "gzip" },
    { head: [0x28, 0xb5, 0x2f, 0xfd], want: "zstd" },
    { head: [0x28, 0xb5, 0x2f], want: "none" },
    { head: [0x50, 0x2a, 0x4d, 0x18], want: "zstd" },
    { head: [0x5f, 0x2a, 0x4d, 0x18], want: "zstd" },
    { head: [0x60, 0x2a, 0x4d, 0x18], want: "none" },
    { head: [0x66, 0, 0, 0], want: "none" },
  ];
  it.each(cases)("$head is $want", ({ head, want }) =>
    expect(compressionOf(Uint8Array.from(head))).toBe(want),
  );
});
