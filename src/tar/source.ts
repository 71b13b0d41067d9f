import { closeSync, createReadStream, fstatSync, open, type Stats, statSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { type Compression, type FileKind, HEAD, kindOf, refusalOf } from "../bytes/magic.ts";
import { type ByteStream, peek } from "./byte-stream.ts";
import { kindOfBytes, kindOfFile, positionOf } from "./kind-of-file.ts";
import { type LayerFile, openAgain, type Part } from "./layer-file.ts";
import { gunzip, gunzipAtOnce, unzstd } from "./library.ts";
import { findProgram, throughProgram } from "./program.ts";
import { readShort, SHORT, type ShortBytes } from "./short-bytes.ts";

/** A layer's tar: a part of a file to read anywhere, or its bytes in their order. The caller closes it. */
export type Layer =
  | PlainLayer
  | ({
      readonly kind: "stream";
      /** Instead of the chunks, where a program does the work: see `ProgramOutput`. */
      readonly into?: (fd: number) => Promise<void>;
      /** Bytes of the file that were taken so far; 0 when that is not known. */
      readonly taken: () => number;
    } & ByteStream);

export interface PlainLayer extends Part {
  readonly kind: "plain";
  readonly fd: number;
  /** Of the file, when it was opened. */
  readonly stats: Stats;
  /** All of it, when it is short: read once. */
  readonly short: ShortBytes | undefined;
  close(): void;
}

const READ = 256 << 10;

/** Programs that decompress standard input, the fastest first; see docs/decisions/0006-decompressors.md. */
const PROGRAMS: Record<Compression, readonly string[]> = {
  gzip: ["igzip", "pigz"],
  zstd: ["zstd"],
  xz: ["xz"],
  bzip2: ["lbzip2", "pbzip2", "bzip2"],
};
const ARGS = ["-d", "-c"];
/** Debian's packages of programs that this process cannot do without. */
const PACKAGE = { xz: "xz-utils", bzip2: "bzip2" } as const;

/** What the first bytes of a file show it to be compressed with. */
export function compressionOf(head: Uint8Array): Compression | "none" {
  const reads = kindOf(head)?.reads;
  return reads === undefined || reads === "tar" || reads === "erofs" ? "none" : reads;
}

/**
 * The compression of a layer.
 *
 * @param found what its bytes show it to be, if anything
 * @param path for commands that help; a stream has none
 * @throws OperationalError when that is no layer
 */
function compressionOfLayer(found: FileKind | undefined, name: string, path = name): Compression | "none" {
  if (found === undefined || found.reads === "tar") return "none";
  if (found.reads === undefined || found.reads === "erofs")
    throw new OperationalError(`${name}: ${refusalOf(found, "no layer", path)}`);
  return found.reads;
}

/**
 * Opens a layer: a tar, plain or compressed with gzip, zstd, xz or bzip2, in whatever number of parts.
 *
 * @param file a file or part of one, fifo or device; "-" for standard input
 * @param stdin what "-" reads
 * @returns "plain" for an uncompressed regular file
 * @throws OperationalError (from the chunks, too) naming the path when it is no file to read or something else
 * than a layer, or its compressed data are damaged or cut off; a Node system error naming it when it cannot be opened
 */
export async function openLayer(
  file: LayerFile,
  stdin: () => Readable = () => process.stdin,
): Promise<Layer> {
  const { path, name, fd: held } = file;
  if (path === "-") return openStream(stdin(), name);
  const stats = held === undefined ? undefined : fstatSync(held);
  return held !== undefined && stats?.isFile()
    ? openFile(file, held, stats)
    : openOwn(file, await opened(file));
}

/** @param fd closed with what is returned */
function openOwn(file: LayerFile, fd: number): Promise<Layer> {
  const { path, name } = file;
  const stats = fstatSync(fd);
  if (stats.isFile()) return openFile(file, fd, stats);
  if (stats.isDirectory()) {
    closeSync(fd);
    throw new OperationalError(
      `${name}: a directory, not a tar; tar -C ${path} -cf FILE.tar . makes one of it`,
    );
  }
  // A socket object waits for a fifo without holding a thread; all others close the descriptor, too.
  const isPipe = stats.isFIFO() || stats.isSocket();
  const readable = isPipe
    ? new Socket({ fd, writable: false })
    : createReadStream("", { fd, highWaterMark: READ });
  return openStream(readable, name);
}

/** Only what nobody has opened yet may let its opener wait, as a fifo does: not this thread, then. */
async function opened(file: LayerFile): Promise<number> {
  try {
    return file.fd === undefined ? await promisify(open)(file.path, "r") : openAgain(file);
  } catch (error) {
    const problem = codeOf(error) === "ENOENT" ? "no such file" : messageOf(error);
    throw new OperationalError(`${file.name}: ${problem}${deviceAdvice(file.path)}`);
  }
}

/** A node of a device says nothing of whether there is one, and whether a container may use it. */
function deviceAdvice(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isBlockDevice() && !stats?.isCharacterDevice()) return "";
  return "; a device, which is not there, or which this process may not use: name a file that has its bytes";
}

/** @param fd the layer's own, which stays open, or else closed with what is returned */
async function openFile(file: LayerFile, fd: number, stats: Stats): Promise<Layer> {
  const { name, part = { at: 0, size: stats.size } } = file;
  const isHeld = fd === file.fd;
  let short: ShortBytes | undefined;
  const close = () => {
    short?.release();
    if (!isHeld) closeSync(fd);
  };
  let compression: Compression | "none";
  let program: string | undefined;
  try {
    short = part.size <= SHORT ? readShort(fd, part) : undefined;
    const found = short === undefined ? kindOfFile(fd, part) : kindOfBytes(short.bytes);
    compression = compressionOfLayer(found, name);
    if (compression === "none") return { kind: "plain", fd, ...part, stats, short, close };
    const unzipped = compression === "gzip" && short !== undefined ? shortLayer(short.bytes) : undefined;
    if (unzipped !== undefined) {
      close();
      return unzipped;
    }
    program = programFor(compression, name);
  } catch (error) {
    close();
    throw error;
  }
  short?.release();
  const own = isHeld ? openAgain(file) : fd; // with a position of its own
  if (file.part === undefined && program !== undefined) return throughFile(own, program, name, compression);
  const { at: start, size } = part;
  const readable = createReadStream("", { fd: own, start, end: start + size - 1, highWaterMark: READ });
  return decompress((await peek(readable, name, 0)).stream, name, compression);
}

/** Decompressed in one go. @returns undefined when that cannot be */
function shortLayer(bytes: Uint8Array): Layer | undefined {
  const { length: size } = bytes;
  const tar = gunzipAtOnce(bytes);
  if (tar === undefined) return undefined;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    if (tar !== undefined && tar.length > 0) yield tar;
  }
  return { kind: "stream", chunks: chunks(), close: async () => {}, taken: () => size };
}

/** The program reads the file itself, from the descriptor that it has in common with this process. */
function throughFile(fd: number, program: string, name: string, compression: Compression): Layer {
  const { chunks, into, close: stop } = throughProgram(program, ARGS, fd, name, compression);
  let isOpen = true;
  const close = async () => {
    await stop();
    if (isOpen) closeSync(fd);
    isOpen = false;
  };
  return {
    kind: "stream",
    chunks: thenClose(chunks, close),
    into: async (output) => {
      try {
        await into(output);
      } finally {
        await close();
      }
    },
    close,
    taken: () => (isOpen ? positionOf(fd) : 0),
  };
}

async function* thenClose(
  chunks: AsyncIterable<Uint8Array>,
  close: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } finally {
    await close();
  }
}

async function openStream(readable: Readable, name: string): Promise<Layer> {
  const { head, stream } = await peek(readable, name, HEAD);
  try {
    const compression = compressionOfLayer(kindOf(head), name, "FILE");
    if (compression !== "none") return decompress(stream, name, compression);
    return { kind: "stream", ...counting(stream) };
  } catch (error) {
    await stream.close();
    throw error;
  }
}

function decompress(input: ByteStream, name: string, compression: Compression): Layer {
  const program = programFor(compression, name);
  const { taken, ...counted } = counting(input);
  const stream =
    program !== undefined
      ? throughProgram(program, ARGS, counted, name, compression)
      : compression === "gzip"
        ? gunzip(counted, name)
        : unzstd(counted, name);
  return { kind: "stream", ...stream, taken };
}

/** @throws OperationalError when it is not there and nothing in this process does its work */
function programFor(compression: Compression, name: string): string | undefined {
  const program = findProgram(PROGRAMS[compression]);
  if (program === undefined && (compression === "xz" || compression === "bzip2"))
    throw new OperationalError(
      `${name}: ${compression} data, which takes the program ${compression}: apt install ${PACKAGE[compression]}`,
    );
  return program;
}

function counting(stream: ByteStream): ByteStream & { taken: () => number } {
  let bytes = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream.chunks) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  return { chunks: chunks(), close: stream.close, taken: () => bytes };
}
