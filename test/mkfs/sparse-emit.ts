import { bytesOf, END, entry, join, octal, pax, record } from "../tar/emit.ts";

/** A sparse file as a test says it: what no piece covers is a hole. */
export interface SparseFile {
  readonly name: string;
  readonly size: number;
  readonly pieces: readonly { readonly offset: number; readonly data: Uint8Array }[];
}

/** Ways to write one. In all of them the data of pieces follow one another without padding. */
export const FORMS = ["old GNU", "pax 0.0", "pax 0.1", "pax 1.0"] as const;
export type Form = (typeof FORMS)[number];

/** An archive of sparse files, with its end marker. */
export const sparseTar = (form: Form, files: readonly SparseFile[]): Uint8Array =>
  join(...files.map((file) => sparseEntry(form, file)), END);

/** All its bytes. */
export function contentOfSparse({ size, pieces }: SparseFile): Uint8Array {
  const content = new Uint8Array(size);
  for (const { offset, data } of pieces) content.set(data, offset);
  return content;
}

export function sparseEntry(form: Form, { name, size, pieces }: SparseFile): Uint8Array {
  const data = join(...pieces.map((piece) => piece.data));
  const numbers = pieces.map((piece) => [piece.offset, piece.data.length]);
  const [offset, length] = numbers.at(-1) ?? [0, 0];
  if (offset + length < size) numbers.push([size, 0]); // as GNU tar does; it makes no hole at the end without
  if (form === "old GNU") return oldGnu(name, size, numbers, data);
  const count = String(numbers.length);
  if (form === "pax 1.0") {
    const map = `${[count, ...numbers.flat()].join("\n")}\n`;
    const named = { "GNU.sparse.name": name, "GNU.sparse.realsize": String(size) };
    const padded = map.padEnd(Math.ceil(map.length / 512) * 512, "\0");
    return join(
      pax({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", ...named }),
      entry({ name, data: join(bytesOf(padded), data) }),
    );
  }
  const records = [record("GNU.sparse.size", String(size)), record("GNU.sparse.numblocks", count)];
  if (form === "pax 0.1") records.push(record("GNU.sparse.map", numbers.join(",")));
  else
    for (const [at, bytes] of numbers)
      records.push(record("GNU.sparse.offset", String(at)), record("GNU.sparse.numbytes", String(bytes)));
  return join(pax(records.join("")), entry({ name, data }));
}

/** Four pairs in the header, then 21 a block, each with a byte that says whether another one follows. */
function oldGnu(name: string, size: number, numbers: readonly number[][], data: Uint8Array): Uint8Array {
  const pairs = numbers.map((pair) => pair.map((n) => octal(n, 12)).join(""));
  const more: Uint8Array[] = [];
  for (let at = 4; at < pairs.length; at += 21) {
    const isLast = at + 21 >= pairs.length;
    const block = pairs.slice(at, at + 21).join("");
    more.push(bytesOf((block.padEnd(504, "\0") + (isLast ? "\0" : "\x01")).padEnd(512, "\0")));
  }
  const patch = [
    [386, pairs.slice(0, 4).join("")],
    [482, more.length > 0 ? "\x01" : "\0"],
    [483, octal(size, 12)],
  ] as const;
  const padding = new Uint8Array((512 - (data.length % 512)) % 512);
  return join(entry({ name, type: "S", magic: "gnu", size: data.length, patch }), ...more, data, padding);
}
