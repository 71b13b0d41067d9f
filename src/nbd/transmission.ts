import { messageOf } from "../bytes/errors.ts";
import type { DiskPiece } from "../block/flat-disk.ts";
import { type Conversation, Ended } from "./conversation.ts";
import type { NbdCounts } from "./counts.ts";
import { type Agreement, ALLOCATION_ID } from "./negotiation.ts";
import {
  CHUNK,
  chunkHead,
  putChunkHead,
  COMMAND,
  ERROR,
  FLAG_DF,
  FLAG_REQ_ONE,
  MAX_READ,
  readRequest,
  REQUEST_MAGIC,
  REQUEST_SIZE,
  type Request,
  STATE_HOLE,
  STATE_ZERO,
  simpleReply,
} from "./protocol.ts";

/** Bytes that are read for a client at a time. */
const PIECE = 128 << 10;
/** Bytes in front of the data of a chunk. */
const DATA_HEAD = 28;
/** Answers for which Node has memory at hand. */
const SMALL = 2048;
/** Extents of one answer to BLOCK_STATUS. */
const MAX_EXTENTS = 1024;

/** What a request is not answered for, by NBD's number. */
class Refused extends Error {
  readonly error: number;
  constructor(error: number, problem: string) {
    super(problem);
    this.error = error;
  }
}

/** Answers the requests of one client, one after the other. */
export class Transmission {
  private readonly talk: Conversation;
  private readonly agreement: Agreement;
  private readonly onProblem: (problem: string) => void;
  private readonly counts: NbdCounts;
  private reused: Buffer | undefined;

  constructor(
    talk: Conversation,
    agreement: Agreement,
    counts: NbdCounts,
    onProblem: (problem: string) => void,
  ) {
    this.talk = talk;
    this.counts = counts;
    this.agreement = agreement;
    this.onProblem = onProblem;
  }

  /** Until the client says goodbye. @throws Ended when it just goes, or breaks the protocol */
  async serve(): Promise<void> {
    for (;;) {
      const request = readRequest(await this.talk.take(REQUEST_SIZE));
      if (request.magic !== REQUEST_MAGIC) throw new Ended("no request");
      this.counts.request(request.type);
      if (request.type === COMMAND.DISCONNECT) return;
      try {
        await this.answer(request);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        this.counts.errors++;
        await this.refuse(request, error);
      }
    }
  }

  private answer(request: Request): Promise<void> {
    switch (request.type) {
      case COMMAND.READ:
        return this.read(request);
      case COMMAND.CACHE:
        return this.warm(request);
      case COMMAND.BLOCK_STATUS:
        return this.blockStatus(request);
      case COMMAND.WRITE:
        return this.talk.skip(request.length).then(() => {
          throw new Refused(ERROR.EPERM, "the disk is read-only");
        });
      case COMMAND.TRIM:
      case COMMAND.WRITE_ZEROES:
        throw new Refused(ERROR.EPERM, "the disk is read-only");
      case COMMAND.FLUSH:
        return this.done(request);
      default:
        throw new Refused(ERROR.EINVAL, `command ${request.type} is unknown`);
    }
  }

  private mustBeInside({ offset, length }: Request, most: number): void {
    const { size } = this.agreement.served;
    if (length > most) throw new Refused(ERROR.EOVERFLOW, `${length} bytes, want at most ${most}`);
    if (offset + length > size)
      throw new Refused(ERROR.EINVAL, `ends behind byte ${size}, the end of the disk`);
  }

  private async read(request: Request): Promise<void> {
    this.mustBeInside(request, MAX_READ);
    const { isStructured, served } = this.agreement;
    const { flags, cookie, offset, length } = request;
    this.counts.readBytes += length;
    if (!isStructured) return this.stream(request, simpleReply(0, cookie));
    if (length === 0) return this.done(request);
    if (flags & FLAG_DF) {
      const head = Buffer.allocUnsafe(DATA_HEAD);
      putDataHead(head, request, offset, length, true);
      return this.stream(request, head);
    }
    const end = offset + length;
    for (const piece of served.pieces(offset, length)) {
      const last = piece.at + piece.length === end;
      if (piece.source === undefined) await this.talk.say(holeChunk(request, piece, last));
      else await this.dataChunks(request, piece, last);
    }
  }

  private async dataChunks(
    request: Request,
    { at: first, length }: DiskPiece,
    isLast: boolean,
  ): Promise<void> {
    for (let at = first, left = length; left > 0; ) {
      const n = Math.min(PIECE, left);
      left -= n;
      const chunk = await this.bytes(at, n, DATA_HEAD);
      putDataHead(chunk, request, at, n, isLast && left === 0);
      // Most of what is asked for is there, and waits for nobody.
      const waits = this.talk.say(chunk);
      if (waits !== undefined) await waits;
      at += n;
    }
  }

  /** Data behind one head: what fails after that cannot be said any more. */
  private async stream({ offset, length }: Request, head: Buffer): Promise<void> {
    const first = await this.bytes(offset, Math.min(PIECE, length), head.length);
    head.copy(first);
    await this.talk.say(first);
    for (let done = first.length - head.length; done < length; ) {
      const bytes = await this.bytes(offset + done, Math.min(PIECE, length - done), 0).catch((error) => {
        throw new Ended(messageOf(error));
      });
      await this.talk.say(bytes);
      done += bytes.length;
    }
  }

  /** @param room bytes that are left in front of them. @throws Refused when they cannot be read */
  private async bytes(at: number, length: number, room: number): Promise<Buffer> {
    const into = this.buffer(room + length);
    try {
      const waits = this.agreement.served.read(at, room === 0 ? into : into.subarray(room));
      if (waits !== undefined) await waits;
    } catch (error) {
      this.onProblem(messageOf(error));
      throw new Refused(ERROR.EIO, messageOf(error));
    }
    return into;
  }

  /** Memory for an answer: that of the one before, once the client's socket has all of it; collecting it would cost more. */
  private buffer(length: number): Buffer {
    if (length < SMALL) return Buffer.allocUnsafe(length);
    if (!this.talk.isAllTaken || this.reused === undefined)
      this.reused = Buffer.allocUnsafeSlow(DATA_HEAD + PIECE);
    return this.reused.subarray(0, length);
  }

  /** Reads into the page cache, and answers when it is there. */
  private async warm(request: Request): Promise<void> {
    const { size } = this.agreement.served;
    this.mustBeInside(request, size);
    const scratch = Buffer.allocUnsafe(PIECE);
    for (let done = 0; done < request.length; done += PIECE) {
      const into = scratch.subarray(0, Math.min(PIECE, request.length - done));
      try {
        await this.agreement.served.read(request.offset + done, into);
      } catch (error) {
        throw new Refused(ERROR.EIO, messageOf(error));
      }
      await this.talk.othersTurn(into.length);
    }
    await this.done(request);
  }

  private async blockStatus(request: Request): Promise<void> {
    const { hasAllocation, isStructured, served } = this.agreement;
    if (!hasAllocation || !isStructured) throw new Refused(ERROR.EINVAL, "base:allocation was not agreed on");
    this.mustBeInside(request, served.size);
    if (request.length === 0) throw new Refused(ERROR.EINVAL, "of no bytes");
    const most = request.flags & FLAG_REQ_ONE ? 1 : MAX_EXTENTS;
    const extents = extentsOf(served.pieces(request.offset, request.length), most);
    const data = Buffer.alloc(4 + 8 * extents.length);
    data.writeUInt32BE(ALLOCATION_ID, 0);
    extents.forEach(({ length, isHole }, i) => {
      data.writeUInt32BE(length, 4 + 8 * i);
      data.writeUInt32BE(isHole ? STATE_HOLE | STATE_ZERO : 0, 8 + 8 * i);
    });
    await this.talk.say(chunkHead(CHUNK.BLOCK_STATUS, true, request.cookie, data.length), data);
  }

  private async done({ cookie }: Request): Promise<void> {
    const { isStructured } = this.agreement;
    await this.talk.say(isStructured ? chunkHead(CHUNK.NONE, true, cookie, 0) : simpleReply(0, cookie));
  }

  private async refuse({ type, cookie }: Request, { error, message }: Refused): Promise<void> {
    const { isStructured } = this.agreement;
    // Only of a read, and of what has no other form, an error must be a chunk.
    if (!isStructured || (type !== COMMAND.READ && type !== COMMAND.BLOCK_STATUS))
      return void (await this.talk.say(simpleReply(error, cookie)));
    const text = Buffer.from(message).subarray(0, 1024);
    const data = Buffer.alloc(6);
    data.writeUInt32BE(error, 0);
    data.writeUInt16BE(text.length, 4);
    await this.talk.say(chunkHead(CHUNK.ERROR, true, cookie, 6 + text.length), data, text);
  }
}

function putDataHead(chunk: Buffer, { cookie }: Request, at: number, length: number, isLast: boolean): void {
  putChunkHead(chunk, CHUNK.DATA, isLast, cookie, 8 + length);
  chunk.writeBigUInt64BE(BigInt(at), 20);
}

function holeChunk({ cookie }: Request, { at, length }: DiskPiece, isLast: boolean): Buffer {
  const chunk = Buffer.allocUnsafe(32);
  putChunkHead(chunk, CHUNK.HOLE, isLast, cookie, 12);
  chunk.writeBigUInt64BE(BigInt(at), 20);
  chunk.writeUInt32BE(length, 28);
  return chunk;
}

interface NbdExtent {
  length: number;
  readonly isHole: boolean;
}

/** Neighbours of one kind as one, the first so many. */
function extentsOf(pieces: Iterable<DiskPiece>, most: number): NbdExtent[] {
  const extents: NbdExtent[] = [];
  for (const { length, source } of pieces) {
    const isHole = source === undefined;
    const last = extents.at(-1);
    if (last?.isHole === isHole) last.length += length;
    else if (extents.length === most) break;
    else extents.push({ length, isHole });
  }
  return extents;
}
