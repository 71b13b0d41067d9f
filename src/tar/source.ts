import { closeSync, createReadStream, fstatSync, open, readSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { StartError } from "../bytes/errors.ts";
import { type ByteStream, peek } from "./byte-stream.ts";
import { gunzip, unzstd } from "./library.ts";
import { findProgram, throughProgram } from "./program.ts";

/** A layer's tar: a file to read anywhere, which the caller closes, or its bytes in their order. */
export type Layer =
  | { readonly kind: "plain"; readonly fd: number; readonly size: number }
  | ({ readonly kind: "stream" } & ByteStream);

export type Compression = "none" | "gzip" | "zstd";

/** Bytes that tell. */
const MAGIC = 4;
const READ = 256 << 10;

/** Programs that decompress standard input, the fastest first; see docs/decisions/0006-decompressors.md. */
const PROGRAMS: Record<"gzip" | "zstd", readonly string[]> = { gzip: ["igzip", "pigz"], zstd: ["zstd"] };
const ARGS = ["-d", "-c"];

/** What the first bytes of a file show it to be. */
export function compressionOf(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (head.length < MAGIC) return "none";
  const magic = (head[0] | (head[1] << 8) | (head[2] << 16) | (head[3] << 24)) >>> 0;
  // A zstd frame, or one to be skipped, of which there are 16.
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50 ? "zstd" : "none";
}

/**
 * Opens a layer: a tar, plain or compressed with gzip or zstd, in whatever number of parts.
 *
 * @param path a file, fifo or device; "-" for standard input
 * @param stdin what "-" reads
 * @returns "plain" for an uncompressed regular file
 * @throws StartError (from the chunks, too) naming the path when it is no file to read, or its compressed data
 * are damaged or cut off; a Node system error naming it when it cannot be opened
 */
export async function openLayer(path: string, stdin: () => Readable = () => process.stdin): Promise<Layer> {
  if (path === "-") return openStream(stdin(), "standard input");
  const fd = await promisify(open)(path, "r");
  const stats = fstatSync(fd);
  if (stats.isFile()) return openFile(fd, stats.size, path);
  if (stats.isDirectory()) {
    closeSync(fd);
    throw new StartError(`${path}: a directory, not a tar`);
  }
  // A socket object waits for a fifo without holding a thread; all others close the descriptor, too.
  const isPipe = stats.isFIFO() || stats.isSocket();
  const readable = isPipe
    ? new Socket({ fd, writable: false })
    : createReadStream("", { fd, highWaterMark: READ });
  return openStream(readable, path);
}

async function openFile(fd: number, size: number, path: string): Promise<Layer> {
  try {
    const head = new Uint8Array(MAGIC);
    const compression = compressionOf(head.subarray(0, readSync(fd, head, 0, MAGIC, 0)));
    if (compression === "none") return { kind: "plain", fd, size };
    return { kind: "stream", ...(await decompressFile(fd, path, compression)) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function openStream(readable: Readable, path: string): Promise<Layer> {
  const { head, stream } = await peek(readable, path, MAGIC);
  const compression = compressionOf(head);
  if (compression === "none") return { kind: "stream", ...stream };
  const program = findProgram(PROGRAMS[compression]);
  if (program !== undefined)
    return { kind: "stream", ...throughProgram(program, ARGS, stream, path, compression) };
  return { kind: "stream", ...inProcess(stream, path, compression) };
}

/** Takes the descriptor over. */
async function decompressFile(fd: number, path: string, compression: "gzip" | "zstd"): Promise<ByteStream> {
  const program = findProgram(PROGRAMS[compression]);
  if (program !== undefined) {
    const stream = throughProgram(program, ARGS, fd, path, compression);
    closeSync(fd); // the program has its own by now
    return stream;
  }
  const readable = createReadStream("", { fd, start: 0, highWaterMark: READ });
  return inProcess((await peek(readable, path, 0)).stream, path, compression);
}

const inProcess = (stream: ByteStream, path: string, compression: "gzip" | "zstd"): ByteStream =>
  compression === "gzip" ? gunzip(stream, path) : unzstd(stream, path);
