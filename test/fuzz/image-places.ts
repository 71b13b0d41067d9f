import { u64 } from "../../src/bytes/u64.ts";

/** Where records lie. */
export interface Places {
  readonly ids: readonly string[];
  readonly inodes: readonly number[];
  readonly dirents: readonly number[];
  readonly chunks: readonly number[];
  readonly bodies: readonly number[];
}

/** A reading of its own, without a check: what leads out of the image is left out. */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: follows the format from record to record
export function placesOf(image: Uint8Array): Places {
  const v = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const block = 1 << Math.min(12, image[1024 + 12]);
  const meta = v.getUint32(1024 + 40, true) * block;
  const devices = v.getUint16(1024 + 86, true);
  const table = v.getUint16(1024 + 88, true) * 128;
  const ids = Array.from({ length: devices }, (_, i) =>
    Buffer.from(image.subarray(table + i * 128, table + i * 128 + 64))
      .toString("latin1")
      .replace(/\0+$/, ""),
  ).filter((id) => id !== "");
  const places = {
    ids,
    inodes: [] as number[],
    dirents: [] as number[],
    chunks: [] as number[],
    bodies: [] as number[],
  };
  const queue = [v.getUint16(1024 + 14, true)];
  const seen = new Set(queue);
  for (let nid = queue.pop(); nid !== undefined; nid = queue.pop()) {
    const at = meta + nid * 32;
    if (!(at + 64 <= image.length)) continue;
    places.inodes.push(at);
    const [format, icount, mode] = [0, 2, 4].map((field) => v.getUint16(at + field, true));
    const isLong = (format & 1) !== 0;
    const layout = (format >> 1) & 7;
    const size = isLong ? u64(v, at + 8) : v.getUint32(at + 8, true);
    const behind = at + (isLong ? 64 : 32);
    if (icount > 0) places.bodies.push(behind);
    const end = behind + (icount === 0 ? 0 : 12 + 4 * (icount - 1));
    if (layout === 4)
      for (let k = 0; k < 4 && end + 16 + 8 * k < image.length; k++)
        places.chunks.push(end + (-end & 7) + 8 * k);
    if ((mode & 0xf000) !== 0x4000 || size > 1 << 20) continue;
    const tail = layout === 2 ? Math.floor((size - 1) / block) * block : size;
    for (let from = 0; from < size; from += block) {
      const place = from >= tail ? end : v.getUint32(at + 16, true) * block + from;
      if (!(place >= 0 && place + 12 <= image.length)) break;
      const count = v.getUint16(place + 8, true) / 12;
      for (let i = 0; i < count && place + 12 * i + 12 <= image.length; i++) {
        places.dirents.push(place + 12 * i);
        const child = v.getUint32(place + 12 * i, true);
        if (!seen.has(child)) queue.push(child);
        seen.add(child);
      }
    }
  }
  return places;
}
