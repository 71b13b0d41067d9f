import { crc32c } from "../../src/bytes/crc32c.ts";
import { type Places, placesOf } from "./image-places.ts";
import { getNumber, mutateBytes, otherNumber, putNumber } from "./mutate.ts";
import type { Random } from "./random.ts";

/** Fields as `offset:width`. Source: linux/fs/erofs/erofs_fs.h; nydus rafs/src/metadata/layout/v6.rs. */
type Fields = readonly (readonly [at: number, width: number])[];
const fields = (text: string): Fields =>
  text.split(" ").map((pair) => {
    const [at, width] = pair.split(":").map(Number);
    return [at, width];
  });
const SUPER = fields(
  "0:4 4:4 8:4 12:1 13:1 14:2 16:8 24:8 32:4 36:4 40:4 44:4 80:4 84:2 86:2 88:2 90:1 91:1 92:4 112:8",
);
const RAFS = fields("0:8 8:8 16:4 20:4 24:8 32:8 40:8 48:4");
const SLOT = fields("0:8 63:1 64:4 68:4 72:2 74:2");
const BLOB = fields("0:8 64:4 68:4 72:4 76:4 80:4 84:4 88:8 96:8");
const INODE = fields("0:2 2:2 4:2 6:2 8:4 8:8 12:4 16:4 20:4 24:4 28:4 32:8 40:4 44:4 48:1");
const DIRENT = fields("0:4 0:8 8:2 10:1 11:1");
const XATTRS = fields("0:4 4:1 12:1 13:1 14:2 16:4");
const CHUNK = fields("0:2 2:2 4:4 0:4");

/** Bytes of an image with tables and a tree. */
const LEAST = 4096 + 512;
const SIZES = { inode: 64, dirent: 12, chunk: 8 } as const;
const IDS = ["../outside", "/etc/passwd", "..", ".", "outside", "a/b", "x\ny", "\xff", ""];

/** Records found in this very image; what is made of it has them at the same places, nearly always. */
const known = new WeakMap<Uint8Array, Places>();

/** An image with fields, records or lengths that are others; its checksum is right, if it has one. */
export function mutateImage(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const places = input.length < LEAST ? undefined : (known.get(input) ?? placesOf(input));
  if (places !== undefined) known.set(input, places);
  const isSame = places !== undefined && !random.once(20);
  const made = isSame ? changed(input, other, places, random) : mutateBytes(input, other, random);
  if (isSame) known.set(made, places);
  if (!random.once(50)) signImage(made);
  return made;
}

function changed(input: Uint8Array, other: Uint8Array, places: Places, random: Random): Uint8Array {
  const copy = input.slice();
  const field = (at: number | undefined, of: Fields) => {
    if (at === undefined) return;
    const [by, width] = random.pick(of);
    const old = getNumber(copy, at + by, width);
    const others = random.once(4)
      ? getNumber(copy, random.pick(places.inodes) + by, width)
      : otherNumber(old, random);
    putNumber(copy, at + by, width, others);
  };
  const v = new DataView(copy.buffer);
  const deviceAt = v.getUint16(1024 + 88, true) * 128;
  switch (random.below(14)) {
    case 0:
      field(1024, SUPER);
      break;
    case 1:
      field(1152, RAFS);
      break;
    case 2:
      field(deviceAt + 128 * random.below(3), SLOT);
      break;
    case 3:
      field(Number(v.getBigUint64(1160, true) % 2n ** 32n) + 256 * random.below(2), BLOB);
      break;
    case 4:
      copy.set(Buffer.from(`${random.pick(IDS)}\0`, "latin1"), Math.min(deviceAt, copy.length - 64));
      break;
    case 5:
    case 6:
    case 7:
      field(random.pick(places.inodes), INODE);
      break;
    case 8:
    case 9:
      field(random.pick(places.dirents), DIRENT);
      break;
    case 10:
      field(random.pick(places.chunks), CHUNK);
      break;
    case 11:
      field(random.pick(places.bodies), XATTRS);
      break;
    case 12: {
      const kind = random.pick(["inode", "dirent", "chunk"] as const);
      const from = random.pick(places[`${kind}s`]);
      copy.copyWithin(random.pick(places[`${kind}s`]), from, from + SIZES[kind]);
      break;
    }
    default:
      if (random.once(2))
        return copy.slice(
          0,
          random.once(2) ? 512 * random.below(copy.length / 512) : random.below(copy.length),
        );
      return Uint8Array.from(Buffer.concat([copy, other.subarray(0, random.below(8192))]));
  }
  return copy;
}

/** Checksum of the block with the superblock, which counts from it to the end of the block. */
function signImage(image: Uint8Array): void {
  if (image.length < 4096 || (image[1024 + 8] & 1) === 0) return;
  const block = 1 << (image[1024 + 12] & 15);
  const covered = image.slice(1024, block > 1024 ? block : 1024 + block);
  covered.fill(0, 4, 8);
  putNumber(image, 1028, 4, crc32c(0xffffffff, covered));
}
