import { expect, it } from "vitest";
import { FOPS, type FsStats } from "../../src/api/shapes.ts";
import {
  eventsText,
  filesText,
  inflightText,
  latestText,
  patternText,
  ratesHead,
  ratesText,
  table,
} from "../../src/ctl/tables.ts";

const counts = (some: Partial<Record<(typeof FOPS)[number], number>>) => FOPS.map((name) => some[name] ?? 0);

it("columns are as wide as what is in them, numbers to the right", () => {
  expect(
    table(
      ["N", "NAME"],
      [
        [1, "a"],
        [10_000, "long\nname"],
      ],
    ),
  ).toBe("    N  NAME\n    1  a\n10000  long\\nname\n");
  expect(table(["N", "NAME"], [])).toBe("N  NAME\n");
});

it("events", () => {
  const events = (total_errors: number, errors: string[]) => ({
    ...{ max_errors: 500, max_size: 51_200, total_size: 1 },
    ...{ total_errors, errors },
  });
  expect(eventsText(events(0, []))).toBe("nothing went wrong\n");
  expect(eventsText(events(2, ["a", "b\n"]))).toBe("2 errors and warnings:\n  a\n  b\\n\n");
  expect(eventsText(events(9, ["h"]))).toBe("9 errors and warnings, the last 1 of them:\n  h\n");
});

it("requests in flight, the oldest first", () => {
  const request = (unique: number, timestamp_secs: number) => ({
    inode: 36,
    opcode: 15,
    unique,
    timestamp_secs,
  });
  expect(inflightText([request(8, 99), request(6, 90)], 100)).toBe(
    "SECONDS  OPERATION  INODE  REQUEST\n     10  read          36        6\n      1  read          36        8\n",
  );
  expect(inflightText([])).toBe("no request is being answered\n");
});

it("files by what was read of them, and in the order of first reads", () => {
  const file = (data_read: number) => ({
    ...{ total_fops: 7, data_read, block_count_read: [] },
    ...{ fop_hits: counts({ read: 3, open: 1 }), fop_errors: counts({ read: 1 }) },
  });
  expect(filesText({ 36: file(10), 40: file(4096) })).toBe(
    "INODE  BYTES READ  READS  OPENS  REQUESTS  ERRORS\n" +
      "   40        4096      3      1         7       1\n" +
      "   36          10      3      1         7       1\n",
  );
  expect(filesText({})).toMatch(/^no file was asked about.*--file-stats/);
  const first = { ino: 36, nr_read: 2, first_access_time_secs: 0, first_access_time_nanos: 5e8 };
  expect(patternText([{ ...first, path: "/a b", blob: "l.tar" }])).toBe(
    "FIRST READ                READS  INODE  TAR    PATH\n1970-01-01T00:00:00.500Z      2     36  l.tar  /a b\n",
  );
  expect(patternText([first as never])).toContain("2     36  -    -\n"); // genuine nydusd
  expect(patternText([])).toMatch(/^no file was read/);
  expect(latestText([[3, 9], [12]])).toBe(
    "FIRST INODE  LAST INODE\n          3           9\n         12          12\n",
  );
  expect(latestText([])).toMatch(/^no file was read/);
});

it("what happened between two looks", () => {
  const stats = (data_read: number, reads: number) =>
    ({
      data_read,
      fop_hits: counts({ read: reads, lookup: 2 * reads }),
      fop_errors: counts({}),
    }) as unknown as FsStats;
  const line = ratesText(stats(0, 0), stats(4 * 2 ** 20, 10), 2, new Date("2026-11-30T01:02:03Z"));
  expect(line).toBe("01:02:03          5        2.0          0         10          0          0\n");
  expect(ratesHead().length).toBe(line.length);
});
