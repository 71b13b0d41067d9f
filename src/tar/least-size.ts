import { closeSync, readSync } from "node:fs";
import { kindOf } from "../bytes/magic.ts";
import { type LayerFile, openAgain, statsOf } from "./layer-file.ts";

/** The most that deflate can do: 258 bytes of two bits. */
const DEFLATE = 1032;
/** What does not compress grows by less than that. */
const INCOMPRESSIBLE = 0.99;
const HEAD = 512;

/**
 * How many bytes a compressed layer has at the least when it is decompressed: what its format says of that, or about as
 * many as it has.
 *
 * @returns 0 for what is not compressed, or no file
 * @see https://www.rfc-editor.org/rfc/rfc1952 (ISIZE), https://www.rfc-editor.org/rfc/rfc8878 (Frame_Content_Size)
 */
export function leastSize(file: LayerFile): number {
  const stats = statsOf(file);
  if (!stats?.isFile()) return 0;
  const { at, size } = file.part ?? { at: 0, size: stats.size };
  const fd = openAgain(file);
  try {
    const bytes = (from: number, length: number) => {
      const buffer = Buffer.alloc(Math.max(0, Math.min(length, size - from)));
      return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, at + from));
    };
    const head = bytes(0, HEAD);
    const compression = kindOf(head)?.reads;
    if (compression === undefined || compression === "tar" || compression === "erofs") return 0;
    const least = Math.floor(size * INCOMPRESSIBLE);
    if (compression === "gzip" && size > 18) {
      const said = bytes(size - 4, 4).readUInt32LE(0);
      return said <= size * DEFLATE ? Math.max(said, least) : least;
    }
    return compression === "zstd" ? Math.max(zstdSize(head), least) : least;
  } finally {
    closeSync(fd);
  }
}

/** Of the first frame, 0 when it does not say. */
function zstdSize(head: Buffer): number {
  if (head.length < 18 || head.readUInt32LE(0) !== 0xfd2fb528) return 0;
  const descriptor = head.readUInt8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const flag = descriptor >> 6;
  const at = 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  if (flag === 0) return isSingle ? head.readUInt8(at) : 0;
  if (flag === 1) return head.readUInt16LE(at) + 256;
  return flag === 2 ? head.readUInt32LE(at) : Number(head.readBigUInt64LE(at));
}
