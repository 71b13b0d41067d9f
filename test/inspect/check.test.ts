import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CheckOptions, checkImage } from "../../src/inspect/check.ts";
import { tarOf } from "../mkfs/emit.ts";
import { build } from "../mkfs/support.ts";
import { fixture, fixtureNames, image, placesOf, scratchDir } from "../support/image.ts";

/** What checking prints, and what is wrong in the words of its error. */
async function check(options: Partial<CheckOptions> & { bootstrap: string }): Promise<[string, string]> {
  let text = "";
  const print = (piece: string) => {
    text += piece;
  };
  try {
    await checkImage({ data: false, verbose: false, version: "0.1.0-abc", ...options }, print);
    return [text, ""];
  } catch (error) {
    return [text, (error as Error).message];
  }
}

/** A directory with the tar of 01-basic under its id, changed by `spoil`. */
function layerDir(spoil: (tar: string) => void): { dirs: string[]; files: Map<string, string>; tar: string } {
  const dir = scratchDir();
  const tar = join(dir, BASIC_ID);
  copyFileSync(fixture("01-basic").devices[0], tar);
  spoil(tar);
  return { dirs: [dir], files: new Map(), tar };
}

const BASIC_ID = "d78eabf8367832485d7b73fe5b0b94913a8052f3937e2826ec8c9e00d4ea09de";
const bootstrap = fixture("01-basic").path;

describe("metadata", () => {
  const valid = fixtureNames.filter((name) => fixture(name).entries.length > 0);
  it.each(valid)("of %s is valid, without and with its blobs", async (name) => {
    const { path, devices } = fixture(name);
    const [text, problem] = await check({ bootstrap: path });
    expect(problem).toBe("");
    expect(text).toMatch(
      /^(RAFS|EROFS) filesystem metadata is valid, referenced data blobs: \n(\t \d+: .*\n)*$/,
    );
    expect(await check({ bootstrap: path, search: placesOf(devices) })).toEqual([text, ""]);
  });

  it("of a plain EROFS image has what its device slots say", async () => {
    const name = "EROFS filesystem metadata is valid, referenced data blobs: \n";
    expect((await check({ bootstrap: fixture("20-erofs-default").path }))[0]).toBe(name);
    expect((await check({ bootstrap: fixture("24-erofs-tar-index").path }))[0]).toBe(
      `${name}\t 0: (no id), size 29696\n`,
    );
  });

  const broken = [
    { name: "magic", patch: [1024, "00"], want: "image @0x400: magic is 0xe0f5e100, want 0xe0f5e1e2" },
    // The mode of the root, nid 128 behind two blocks of 4096.
    { name: "mode", patch: [12292, "ed81"], want: "image @0x3000: the root is not a directory" },
  ] as const;
  it.each(broken)("with a wrong $name is one line", async ({ patch, want }) => {
    const { path, dir } = image("01-basic", patch);
    const [text, problem] = await check({ bootstrap: path });
    expect([text, problem.replace(`${dir}/`, "")]).toEqual(["", want]);
  });

  it("of a file that is none", async () => {
    expect(await check({ bootstrap: "/no/where" })).toEqual(["", "bootstrap /no/where: no such file"]);
    expect(await check({ bootstrap: "/dev/null" })).toEqual(["", "bootstrap /dev/null: not a regular file"]);
  });
});

describe("blobs", () => {
  it("must be there", async () => {
    const { dirs, files } = layerDir(() => {});
    expect((await check({ bootstrap, search: { dirs, files } }))[1]).toBe("");
    const [, problem] = await check({ bootstrap, search: { dirs: ["/no/where"], files } });
    expect(problem).toMatch(new RegExp(`^blob ${BASIC_ID}: not found as /no/where/${BASIC_ID}, `));
  });

  it("must be long enough", async () => {
    const { dirs, files, tar } = layerDir((path) => truncateSync(path, 20_000));
    const [text, problem] = await check({ bootstrap, search: { dirs, files } });
    expect([text, problem]).toEqual([
      "",
      `blob ${BASIC_ID}: ${tar}: 20000 bytes is too short (wanted: 30720)`,
    ]);
  });
});

describe("data", () => {
  const valid = fixtureNames.filter((name) => fixture(name).entries.length > 0);
  it.each(valid)("of %s is right", async (name) => {
    const { path, devices } = fixture(name);
    expect((await check({ bootstrap: path, search: placesOf(devices), data: true }))[1]).toBe("");
  });

  it("that was changed is told with both digests, and only when asked for", async () => {
    const { dirs, files, tar } = layerDir((path) => {
      const bytes = readFileSync(path);
      bytes[1536] ^= 1;
      writeFileSync(path, bytes);
    });
    const found = createHash("sha256").update(readFileSync(tar)).digest("hex");
    const search = { dirs, files };
    expect((await check({ bootstrap, search }))[1]).toBe("");
    expect(await check({ bootstrap, search, data: true })).toEqual([
      "",
      `blob ${BASIC_ID}: ${tar}: its sha256 is ${found}: not the tar that was indexed`,
    ]);
  });

  it("is nowhere without a directory", async () => {
    const [, problem] = await check({ bootstrap, data: true });
    expect(problem).toBe("--data reads the blobs: name their directory with --blob-dir");
  });
});

it("check --verbose prints every entry", async () => {
  const [text] = await check({ bootstrap, verbose: true });
  expect(text.split("\n").filter((line) => line.startsWith("inode: "))).toHaveLength(21);
  expect(text).toContain(
    "inode: -rwsr-xr-x 1000:1001        18 2023-11-14T22:13:20Z 0:d78eabf83678@1536 /bin/sh\n",
  );
});

describe("the JSON", () => {
  const json = async (name: string) => {
    const outputJson = join(scratchDir(), "out.json");
    await check({ bootstrap: fixture(name).path, outputJson });
    return JSON.parse(readFileSync(outputJson, "utf8"));
  };

  it("has nydus-image's keys, in its order", async () => {
    const result = await json("01-basic");
    expect(Object.entries(result).filter(([key]) => key !== "trace")).toEqual([
      ["version", "0.1.0-abc"],
      ["bootstrap", bootstrap],
      ["blobs", [BASIC_ID]],
      ["external_bootstrap", ""],
      ["external_blobs", []],
      ["fs_version", "6"],
      ["compressor", "none"],
    ]);
    expect(result.trace.consumed_time.load_tree_from_bootstrap).toBeGreaterThan(0);
    expect((await json("20-erofs-default")).fs_version).toBe("erofs");
  });

  it("that cannot be written is an error that names it", async () => {
    const [, problem] = await check({ bootstrap, outputJson: "/no/where" });
    expect(problem).toMatch(/^output \/no\/where: ENOENT: no such file or directory, open '\/no\/\.where/);
  });
});

describe("headers", () => {
  /** A tar whose id is no digest, its bootstrap, and what `spoil` makes of the tar afterwards. */
  async function checked(tar: Uint8Array, spoil: (bytes: Buffer) => void): Promise<string> {
    const dir = scratchDir();
    const path = join(dir, "layer.tar");
    writeFileSync(path, tar);
    const { bootstrap: made } = await build(path, { blobId: "layer" });
    const bytes = readFileSync(path);
    spoil(bytes);
    writeFileSync(path, bytes);
    const search = { dirs: [], files: new Map([["layer", path]]) };
    return (await check({ bootstrap: made, search, data: true }))[1].replaceAll(path, "T");
  }
  /** A header with some bytes put in, and its checksum made right again. */
  const header = (at: number, field: number, text: string) => (bytes: Buffer) => {
    bytes.write(text, at + field, "latin1");
    bytes.fill(0x20, at + 148, at + 156);
    const sum = bytes.subarray(at, at + 512).reduce((a, b) => a + b, 0);
    bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, "latin1");
  };
  const TAR = tarOf([
    { name: "d/", type: "5" },
    { name: "d/one", data: "1".repeat(700), mode: 0o640, uid: 5, gid: 6 },
    { name: "two", data: "22" },
    { name: "link", type: "1", link: "two" },
  ]);
  const cases: [name: string, spoil: (bytes: Buffer) => void, want: string][] = [
    ["as it was", () => {}, ""],
    [
      "another size",
      header(512, 124, "00000001277\0"),
      "/d/one: 700 bytes, its header says 703 (blob layer, T, byte 1024)",
    ],
    [
      "another mode",
      header(512, 100, "0000755\0"),
      "/d/one: mode 640, its header says 755 (blob layer, T, byte 1024)",
    ],
    [
      "another owner",
      header(512, 108, "0000007\0"),
      "/d/one: owner 5:6, its header says 7:6 (blob layer, T, byte 1024)",
    ],
    [
      "another name",
      header(512, 0, "d/eno"),
      "/d/one: its header has another name (blob layer, T, byte 1024)",
    ],
    ["one that is damaged", (bytes) => bytes.fill(0x41, 520, 530), "T @0x200: header checksum"],
  ];
  it.each(cases)("of a tar with %s", async (_, spoil, want) => {
    const problem = await checked(TAR, spoil);
    if (want === "") expect(problem).toBe("");
    else expect(problem.slice(0, want.length)).toBe(want);
  });
});
