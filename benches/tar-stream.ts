/** A tar made as it is read: regular files of one size, spread evenly over directories. No disk space needed. */
export interface TarShape {
  readonly files: number;
  readonly filesPerDirectory: number;
  /** Bytes of each file, at most 512. */
  readonly fileSize: number;
}

const RECORD = 512;
const CHUNK = 1 << 20;
/** Offsets and widths of a ustar header. Source: POSIX pax, "ustar Interchange Format". */
const NAME = 0;
const MODE = 100;
const UID = 108;
const GID = 116;
const SIZE = 124;
const MTIME = 136;
const CHECKSUM = 148;
const TYPE = 156;
const MAGIC = 257;

/** Inodes in the tree, the root among them. */
export const inodesOf = ({ files, filesPerDirectory }: TarShape): number =>
  1 + Math.ceil(files / filesPerDirectory) + files;

/** Bytes of the whole archive. */
export const bytesOf = (shape: TarShape): number => (inodesOf(shape) + shape.files + 2) * RECORD;

/** The archive in pieces of about 1 MiB. */
export function* tarChunks({ files, filesPerDirectory, fileSize }: TarShape): Generator<Buffer> {
  let chunk = Buffer.alloc(CHUNK);
  let at = 0;
  const put = (record: Buffer): Buffer | undefined => {
    record.copy(chunk, at);
    at += RECORD;
    if (at < CHUNK) return undefined;
    const full = chunk;
    chunk = Buffer.alloc(CHUNK);
    at = 0;
    return full;
  };
  const data = Buffer.alloc(RECORD);
  data.fill("nydusd-ts ", 0, fileSize);
  for (const record of records()) {
    const full = put(record);
    if (full !== undefined) yield full;
  }
  yield chunk.subarray(0, at);

  function* records(): Generator<Buffer> {
    yield header("./", 0o755, 0, "5");
    for (let i = 0; i < files; i++) {
      const dir = `d${Math.floor(i / filesPerDirectory)}/`;
      if (i % filesPerDirectory === 0) yield header(dir, 0o755, 0, "5");
      yield header(`${dir}f${i}`, 0o644, fileSize, "0");
      yield data;
    }
    yield Buffer.alloc(RECORD);
    yield Buffer.alloc(RECORD);
  }
}

function header(name: string, mode: number, size: number, type: string): Buffer {
  const record = Buffer.alloc(RECORD);
  const octal = (value: number, at: number, width: number) =>
    record.write(value.toString(8).padStart(width - 1, "0"), at, "latin1");
  record.write(name, NAME, "latin1");
  octal(mode, MODE, 8);
  octal(0, UID, 8);
  octal(0, GID, 8);
  octal(size, SIZE, 12);
  octal(1_700_000_000, MTIME, 12);
  record.write(type, TYPE, "latin1");
  record.write("ustar\x0000", MAGIC, "latin1");
  record.fill(" ", CHECKSUM, CHECKSUM + 8);
  let sum = 0;
  for (const byte of record) sum += byte;
  record.write(`${sum.toString(8).padStart(6, "0")}\0`, CHECKSUM, "latin1");
  return record;
}
