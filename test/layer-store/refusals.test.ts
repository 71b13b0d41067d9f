import { appendFileSync, chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { LayerSource } from "../../src/layer-store/stored-layer.ts";
import { tarOf } from "../mkfs/emit.ts";
import { blobOf, filesOf, never, openStore, sha256 } from "./support.ts";

const TAR = tarOf([{ name: "f", data: "x".repeat(100_000) }]);

/** The blob with other bytes under its name. */
function withBytes(source: LayerSource, change: (bytes: Buffer) => Uint8Array): LayerSource {
  const file = source.file as string;
  const bytes = change(readFileSync(file));
  chmodSync(file, 0o644);
  writeFileSync(file, bytes);
  return source;
}
const flipped = (bytes: Buffer): Buffer => {
  bytes[700] = (bytes[700] ?? 0) ^ 1;
  return bytes;
};
const coming = (source: LayerSource, stream: () => AsyncIterable<Uint8Array>): LayerSource => ({
  ...source,
  file: undefined,
  stream,
});
async function* piecesOf(...pieces: (Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece;
    yield piece;
  }
}
const typed = (mediaType: string): LayerSource => ({ ...blobOf(TAR), mediaType });

describe("a layer that is the reason itself is for somebody else to unpack", () => {
  const cases: { name: string; source: () => LayerSource; want: RegExp }[] = [
    {
      name: "encrypted",
      source: () => typed("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
      want: /^sha256:\w+: media type application\S+: an encrypted layer: /,
    },
    { name: "a module", source: () => typed("application/wasm"), want: /: a WebAssembly module/ },
    { name: "no tar", source: () => blobOf(Buffer.from("text".repeat(500)), "gzip"), want: /^sha256:\w+/ },
    {
      name: "a damaged header",
      source: () => blobOf(Buffer.concat([TAR.subarray(0, 100), TAR.subarray(101)])),
      want: /checksum|header/,
    },
    { name: "cut off", source: () => blobOf(TAR.subarray(0, 50_000), "gzip"), want: /^sha256:\w+ @0x/ },
  ];
  it.each(cases)("$name", async ({ source, want }) => {
    const { store, root } = await openStore();
    const failed = store.convert(source(), never());
    await expect(failed).rejects.toMatchObject({
      name: "NotConvertible",
      reason: expect.stringMatching(want),
    });
    expect(filesOf(root)).toEqual([]);
  });
});

describe("a blob that is not what its digest says is an error", () => {
  const gzip = gzipSync(TAR);
  const cases: { name: string; source: () => LayerSource; want: RegExp }[] = [
    {
      name: "a plain file with other bytes",
      source: () => withBytes(blobOf(TAR), flipped),
      want: /^sha256:\w+: its bytes are damaged: their digest is sha256:\w+$/,
    },
    {
      name: "a file that became longer",
      source: () => {
        const source = blobOf(TAR, "gzip");
        chmodSync(source.file as string, 0o644);
        appendFileSync(source.file as string, "x");
        return source;
      },
      want: /^sha256:\w+: \S+ has \d+ bytes, want \d+$/,
    },
    {
      name: "a file that is gone",
      source: () => {
        const source = blobOf(TAR);
        rmSync(source.file as string);
        return source;
      },
      want: /^sha256:\w+: ENOENT: no such file/,
    },
    {
      name: "other bytes that come, plain",
      source: () => coming(blobOf(TAR), () => piecesOf(flipped(Buffer.from(TAR)))),
      want: /^sha256:\w+: its bytes are damaged: their digest is \w+$/,
    },
    {
      name: "too few that come",
      source: () => coming(blobOf(TAR), () => piecesOf(TAR.subarray(0, TAR.length - 512))),
      want: /^sha256:\w+: \d+ bytes came, want \d+$/,
    },
    {
      name: "some behind the end of what is compressed",
      source: () => coming(blobOf(TAR, "gzip"), () => piecesOf(gzip, Buffer.from([0]))),
      want: /^sha256:\w+: \d+ bytes came, want \d+$/,
    },
    {
      name: "a connection that breaks",
      source: () => coming(blobOf(TAR), () => piecesOf(TAR.subarray(0, 5000), new Error("connection lost"))),
      want: /connection lost$/,
    },
    {
      name: "a connection that breaks within compressed data",
      source: () =>
        coming(blobOf(TAR, "gzip"), () => piecesOf(gzip.subarray(0, 100), new Error("connection lost"))),
      want: /connection lost$/,
    },
    {
      name: "a digest of an unknown kind",
      source: () => ({ ...blobOf(TAR, "plain", "stream"), digest: "crc32:01234567" }),
      want: /^crc32:01234567: a digest of an unknown kind$/,
    },
  ];
  it.each(cases)("$name", async ({ source, want }) => {
    const { store, root } = await openStore();
    const error = await store.convert(source(), never()).catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({
      name: expect.not.stringMatching("NotConvertible"),
      message: expect.stringMatching(want),
    });
    expect(filesOf(root)).toEqual([]);
    // What failed is no hindrance to the next.
    const { diffId } = await store.convert(blobOf(TAR), never());
    expect(diffId).toBe(`sha256:${sha256(TAR)}`);
  });
});

describe("what is odd but right is taken", () => {
  const cases = [
    { name: "no bytes at all", tar: new Uint8Array(0) },
    { name: "nothing but an end", tar: new Uint8Array(1024) },
    { name: "bytes behind the end", tar: Buffer.concat([TAR, new Uint8Array(100_000)]) },
    { name: "a blank disk's beginning", tar: new Uint8Array(1 << 20) },
  ];
  const ways = cases.flatMap((each) =>
    ["plain", "gzip", "zstd"].flatMap((packed) =>
      (["file", "stream"] as const).map((comes) => ({ ...each, packed, comes })),
    ),
  );
  it.each(ways)("$name: $packed, by $comes", async ({ tar, packed, comes }) => {
    const { store, root } = await openStore();
    const { diffId } = await store.convert(blobOf(tar, packed, comes), never());
    expect(diffId).toBe(`sha256:${sha256(tar)}`);
    await store.merge([diffId], never());
    await store.close();
    const again = await openStore(root);
    expect(again.said).toEqual([]);
    expect(again.store.get(diffId)).toBeDefined();
  });
});

it("layers that do not go together are for the caller to unpack one by one", async () => {
  const { store, root } = await openStore();
  const tars = Array.from({ length: 255 }, (_, i) => tarOf([{ name: `${i}`, data: "x".repeat(5000) }]));
  const layers = await Promise.all(tars.map((tar) => store.convert(blobOf(tar), never())));
  const before = filesOf(root);
  const merging = store.merge(
    layers.map(({ diffId }) => diffId),
    never(),
  );
  await expect(merging).rejects.toMatchObject({
    name: "NotConvertible",
    reason: expect.stringMatching(/254/),
  });
  expect(filesOf(root)).toEqual(before);
});
