import { createHash } from "node:crypto";
import type { CheckedImage } from "../fs/open-image.ts";

/*
 * What a check found, as a file: length of the words, u32 little-endian; the words, JSON; the bitmap of valid nids; sha256 of all
 * that. A file that a crash or a full disk spoiled is none.
 */

const LENGTH_SIZE = 4;
const SUM_SIZE = 32;

type Words = Omit<CheckedImage, "valid">;

export function encodeVerdict({ valid, ...words }: CheckedImage): Buffer {
  const text = Buffer.from(JSON.stringify(words));
  const length = Buffer.alloc(LENGTH_SIZE);
  length.writeUInt32LE(text.length);
  const body = [length, text, valid];
  return Buffer.concat([...body, sumOf(body)]);
}

/** @returns undefined when it is not whole */
export function decodeVerdict(bytes: Buffer): CheckedImage | undefined {
  const end = bytes.length - SUM_SIZE;
  if (end < LENGTH_SIZE || !sumOf([bytes.subarray(0, end)]).equals(bytes.subarray(end))) return undefined;
  const from = LENGTH_SIZE + bytes.readUInt32LE(0);
  const words = JSON.parse(bytes.toString("utf8", LENGTH_SIZE, from)) as Words;
  return { ...words, valid: bytes.subarray(from, end) };
}

function sumOf(parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}
