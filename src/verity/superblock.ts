import { createHash } from "node:crypto";
import { put16, put32, put64, put8, putAscii } from "../bytes/fit.ts";
import { u64 } from "../bytes/u64.ts";
import { HASH_BLOCK, isBlockSize, MAX_SALT, type VerityParameters } from "./hash-tree.ts";

/** `struct verity_sb`, 512 bytes in front of a tree. Source: cryptsetup lib/verity/verity.c. */
const SIGNATURE = "verity";
const VERSION = 8; //      u32  1
const HASH_TYPE = 12; //   u32  1: salt in front of data
const UUID = 16; //        16 bytes
const ALGORITHM = 32; //   32 bytes, NUL-padded
const DATA_BLOCK = 64; //  u32
const HASH_BLOCK_AT = 68; // u32
const DATA_BLOCKS = 72; // u64
const SALT_SIZE = 80; //   u16
const SALT = 88; //        256 bytes

/** The superblock, alone in its hash block. The same tree has the same UUID, so that the same disk has the same bytes. */
export function verityHeader(
  { dataBlock, dataBlocks, salt }: VerityParameters,
  root: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(HASH_BLOCK);
  const v = new DataView(bytes.buffer);
  putAscii(v, 0, SIGNATURE, 8);
  put32(v, VERSION, 1);
  put32(v, HASH_TYPE, 1);
  bytes.set(uuidOf(root), UUID);
  putAscii(v, ALGORITHM, "sha256", 32);
  put32(v, DATA_BLOCK, dataBlock);
  put32(v, HASH_BLOCK_AT, HASH_BLOCK);
  put64(v, DATA_BLOCKS, dataBlocks);
  put16(v, SALT_SIZE, salt.length);
  bytes.set(salt, SALT);
  return bytes;
}

/** What a header says; undefined when there is none, or one of another kind of tree. */
export function readVerityHeader(bytes: Uint8Array): VerityParameters | undefined {
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at: number, length: number) =>
    Buffer.from(bytes.subarray(at, at + length)).toString("latin1");
  const saltSize = v.getUint16(SALT_SIZE, true);
  if (
    text(0, 8) !== `${SIGNATURE}\0\0` ||
    v.getUint32(VERSION, true) !== 1 ||
    v.getUint32(HASH_TYPE, true) !== 1
  )
    return undefined;
  if (
    text(ALGORITHM, 7) !== "sha256\0" ||
    v.getUint32(HASH_BLOCK_AT, true) !== HASH_BLOCK ||
    saltSize > MAX_SALT
  )
    return undefined;
  const dataBlock = v.getUint32(DATA_BLOCK, true);
  const dataBlocks = u64(v, DATA_BLOCKS);
  // A tree of no blocks would be true of every disk.
  if (!isBlockSize(dataBlock) || dataBlocks < 1 || !Number.isSafeInteger(dataBlocks * dataBlock))
    return undefined;
  return { dataBlock, dataBlocks, salt: bytes.slice(SALT, SALT + saltSize) };
}

/** Version 8 of RFC 9562: of one's own making. */
function uuidOf(root: Uint8Array): Uint8Array {
  const uuid = createHash("sha256").update(root).digest().subarray(0, 16);
  const v = new DataView(uuid.buffer, uuid.byteOffset, 16);
  put8(v, 6, (v.getUint8(6) & 0x0f) | 0x80);
  put8(v, 8, (v.getUint8(8) & 0x3f) | 0x80);
  return uuid;
}
