import { SOME_OF_EVERYTHING, SPARSE, tarOf } from "../mkfs/emit.ts";
import { END, entry, join, long, octal, pax } from "../tar/emit.ts";

/** Two members of a GNU sparse header, and its real size. */
const gnuSparse = entry({
  ...{ name: "old-sparse", type: "S", magic: "gnu", data: "s".repeat(1024) },
  patch: [
    [386, octal(0, 12) + octal(512, 12) + octal(8192, 12) + octal(512, 12)],
    [483, octal(16_384, 12)],
  ],
});

/** Small tars, which together have some of everything. */
export const TARS: readonly Uint8Array[] = [
  tarOf(SOME_OF_EVERYTHING),
  tarOf([
    { name: "a", data: "a".repeat(600) },
    { name: "b/c", data: "c" },
    { name: "b/d/", type: "5", mode: 0o700 },
    SPARSE,
    {
      name: "mapped",
      data: `1\n8192\n512\n${"\0".repeat(503)}${"m".repeat(512)}`,
      pax: { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9000" },
    },
    {
      name: "copied",
      data: "k".repeat(700),
      pax: { "GNU.sparse.size": "5000", "GNU.sparse.numblocks": "2", "GNU.sparse.map": "100,300,2000,400" },
    },
  ]),
  join(
    pax({ uid: "77", comment: "global" }, "g"),
    long("L", `${"n".repeat(120)}/${"m".repeat(120)}`),
    entry({ name: "short", magic: "gnu", data: "long name" }),
    gnuSparse,
    entry({ name: "v7", magic: "", data: "old" }),
    entry({ name: "v7dir/", magic: "", type: "\0" }),
    long("K", "k".repeat(300)),
    entry({ name: "link", type: "2", magic: "gnu", link: "cut" }),
    pax({ path: "p".repeat(200), size: "3", "LIBARCHIVE.xattr.user.%61": "YQ" }),
    entry({ name: "p", data: "pax" }),
    END,
  ),
];
