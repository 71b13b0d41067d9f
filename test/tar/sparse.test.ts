import { describe, expect, it } from "vitest";
import { contentOf, END, entry, join, octal, pax, readAll, record, shown, textOf } from "./emit.ts";

const pairs = (...numbers: number[]): string => numbers.map((n) => octal(n, 12)).join("");

interface Case {
  readonly name: string;
  readonly tar: Uint8Array;
  /** What is not as usual of the first entry; "f" comes after it. */
  readonly want: Record<string, unknown>;
  readonly content: string;
}

describe("sparse files", () => {
  const holes = "\0\0abc\0\0\0de\0\0";
  const version = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0" };
  const named = { ...version, "GNU.sparse.name": "s", "GNU.sparse.realsize": "12" };
  const pieces = (at: number) => [
    { offset: 2, length: 3, dataAt: at },
    { offset: 8, length: 2, dataAt: at + 3 },
  ];
  const found = (dataAt: number) => ({ path: "s", size: 12, dataAt, sparse: pieces(dataAt) });
  const s = { name: "s", type: "S", magic: "gnu", data: "abcde" } as const;
  const map = "2\n2\n3\n8\n2\n".padEnd(512, "\0");
  const cases: Case[] = [
    {
      name: "old GNU",
      tar: entry({
        ...s,
        patch: [
          [386, pairs(2, 3, 8, 2)],
          [483, octal(12, 12)],
        ],
      }),
      want: found(512),
      content: holes,
    },
    {
      name: "old GNU, the map in more blocks",
      tar: join(
        entry({
          ...s,
          data: "",
          size: 5,
          patch: [
            [386, pairs(2, 3)],
            [482, "\x01"],
            [483, octal(12, 12)],
          ],
        }),
        // In the first block nothing, in the second one pair.
        Buffer.from(`${"\0".repeat(504)}\x01`.padEnd(512, "\0")),
        Buffer.from(`${pairs(8, 2)}`.padEnd(512, "\0")),
        Buffer.from("abcde".padEnd(512, "\0")),
      ),
      want: found(1536),
      content: holes,
    },
    {
      name: "star",
      tar: entry({
        ...s,
        magic: "ustar",
        patch: [
          [356, pairs(2, 3, 8, 2)],
          [452, octal(12, 12)],
          [508, "tar\0"],
        ],
      }),
      want: found(512),
      content: holes,
    },
    {
      name: "pax 0.0",
      tar: join(
        pax(
          [
            ["size", "12"],
            ["numblocks", "2"],
            ["offset", "2"],
            ["numbytes", "3"],
            ["offset", "8"],
            ["numbytes", "2"],
          ]
            .map(([key, value]) => record(`GNU.sparse.${key}`, value))
            .join(""),
        ),
        entry({ name: "s", data: "abcde" }),
      ),
      want: found(1536),
      content: holes,
    },
    {
      name: "pax 0.1, the name in a record",
      tar: join(
        pax({ "GNU.sparse.size": "12", "GNU.sparse.map": "2,3,8,2", "GNU.sparse.name": "s", path: "p" }),
        entry({ name: "GNUSparseFile.1/s", data: "abcde" }),
      ),
      want: found(1536),
      content: holes,
    },
    {
      name: "pax 0.1 with its version",
      tar: join(
        pax({
          "GNU.sparse.major": "0",
          "GNU.sparse.minor": "1",
          "GNU.sparse.size": "12",
          "GNU.sparse.map": "2,3,8,2",
        }),
        entry({ name: "s", data: "abcde" }),
      ),
      want: found(1536),
      content: holes,
    },
    {
      name: "pax 1.0",
      tar: join(pax(named), entry({ name: "GNUSparseFile.1/s", data: `${map}abcde` })),
      want: found(2048),
      content: holes,
    },
    {
      name: "pax 1.0, the size in a record, too",
      tar: join(pax({ ...named, size: "517" }), entry({ data: `${map}abcde`, size: 0 })),
      want: found(2048),
      content: holes,
    },
    {
      name: "pax 1.0, nothing but a hole",
      tar: join(pax(named), entry({ data: "1\n12\n0\n".padEnd(512, "\0") })),
      want: { path: "s", size: 12, dataAt: 2048, sparse: [] },
      content: "\0".repeat(12),
    },
    {
      name: "empty pieces go, adjoining ones are one",
      tar: join(
        pax(named),
        entry({ data: `${"5\n0\n0\n2\n1\n3\n2\n8\n2\n12\n0\n".padEnd(512, "\0")}abcde` }),
      ),
      want: found(2048),
      content: holes,
    },
    {
      name: "an empty piece joins nothing over a hole",
      tar: join(pax(named), entry({ data: `${"3\n2\n3\n8\n0\n8\n2\n".padEnd(512, "\0")}abcde` })),
      want: found(2048),
      content: holes,
    },
    {
      name: "more stored than the map tells of",
      tar: join(pax(named), entry({ data: `${map}abcdefgh` })),
      want: found(2048),
      content: holes,
    },
  ];
  it.each(cases)("$name", ({ tar, want, content }) => {
    const whole = join(tar, entry(), END);
    const [sparse, next, ...others] = readAll(whole);
    expect(shown(sparse)).toEqual(want);
    expect(textOf(contentOf(whole, sparse))).toBe(content);
    expect(next).toMatchObject({ at: tar.length });
    expect(others).toEqual([]);
  });

  it("have maps of many blocks", () => {
    const count = 20_000;
    const numbers = Array.from({ length: count }, (_, i) => `${i * 1000}\n1\n`).join("");
    const padded = numbers.length + 6 + ((512 - ((numbers.length + 6) % 512)) % 512);
    const data = `${`${count}\n${numbers}`.padEnd(padded, "\0")}${"x".repeat(count)}`;
    const tar = join(pax({ ...named, "GNU.sparse.realsize": "20000000" }), entry({ data }), END);
    const [{ sparse, dataAt, size }] = readAll(tar);
    expect({ size, pieces: sparse?.length, dataAt }).toEqual({
      size: 20_000_000,
      pieces: count,
      dataAt: 1536 + padded,
    });
    expect(sparse?.at(-1)).toEqual({ offset: 19_999_000, length: 1, dataAt: dataAt + count - 1 });
  });

  it("are other entries' records of no use to", () => {
    const tar = join(pax({ ...named, path: "d" }), entry({ type: "5" }), END);
    expect(readAll(tar).map(shown)).toEqual([{ kind: "directory", path: "d", dataAt: 1536 }]);
  });
});
