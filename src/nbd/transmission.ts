import { messageOf } from "../bytes/errors.ts";
import type { DiskExtent } from "../block/served-disk.ts";
import { AnswerBatch } from "./answer-batch.ts";
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
  putSimpleReply,
  simpleReply,
} from "./protocol.ts";

/** Bytes that are read for a client at a time: what nbdcopy and the kernel ask for at most. Half of it costs a third more (0057). */
const PIECE = 256 << 10;
/** Bytes in front of the data of a chunk, and of a simple reply. */
const DATA_HEAD = 28;
const SIMPLE_HEAD = 16;
/** Reads whose answers go out together. */
const SMALL_READ = 16 << 10;
/** Answers for which Node has memory at hand. */
const SMALL = 2048;
/** Extents of one answer to BLOCK_STATUS. */
const MAX_EXTENTS = 1024;
/** Pieces of the disk that are looked at for one, others waiting meanwhile: it may tell of less than was asked for. */
const MAX_PIECES = 16 << 10;

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
  private readonly batch: AnswerBatch;
  private reused: Buffer | undefined;

  constructor(
    talk: Conversation,
    agreement: Agreement,
    counts: NbdCounts,
    onProblem: (problem: string) => void,
  ) {
    this.talk = talk;
    this.batch = new AnswerBatch(talk);
    this.counts = counts;
    this.agreement = agreement;
    this.onProblem = onProblem;
  }

  /** Until the client says goodbye. @throws Ended when it just goes, or breaks the protocol */
  async serve(): Promise<void> {
    for (;;) {
      const request = readRequest(this.talk.takeNow(REQUEST_SIZE) ?? (await this.next()));
      if (request.magic !== REQUEST_MAGIC) throw new Ended("no request");
      this.counts.request(request.type);
      if (request.type === COMMAND.DISCONNECT) return void (await this.batch.say());
      try {
        const waits = this.isSmallRead(request) ? this.smallRead(request) : this.apart(request);
        if (waits !== undefined) await waits;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        this.counts.errors++;
        await this.batch.say();
        await this.refuse(request, error);
      }
    }
  }

  /** The next request, after all answers that can be said before it. */
  private async next(): Promise<Buffer> {
    await this.batch.say();
    return this.talk.take(REQUEST_SIZE);
  }

  private async apart(request: Request): Promise<void> {
    await this.batch.say();
    await this.answer(request);
  }

  private isSmallRead({ type, offset, length }: Request): boolean {
    return (
      type === COMMAND.READ &&
      length > 0 &&
      length <= SMALL_READ &&
      offset + length <= this.agreement.served.size
    );
  }

  /** Zeros are data here: to tell them apart would cost more than to send them. */
  private smallRead(request: Request): Promise<void> | undefined {
    const { isStructured } = this.agreement;
    const { offset, length } = request;
    const head = isStructured ? DATA_HEAD : SIMPLE_HEAD;
    const memory = this.batch.room(head + length);
    if (memory === undefined) return this.afterOthers(request);
    let waits: Promise<void> | undefined;
    try {
      waits = this.agreement.served.read(offset, memory.subarray(head));
    } catch (error) {
      throw this.unreadable(error);
    }
    if (waits !== undefined) return this.whenRead(waits, request, memory);
    this.addSmall(request, memory);
    return undefined;
  }

  /** Others' answers do not wait for it. */
  private async whenRead(waits: Promise<void>, request: Request, memory: Buffer): Promise<void> {
    waits.catch(() => {}); // it is looked at below, unless the client is gone before
    await this.batch.say();
    await waits.catch((error) => {
      throw this.unreadable(error);
    });
    this.addSmall(request, memory);
  }

  private addSmall(request: Request, memory: Buffer): void {
    if (this.agreement.isStructured) putDataHead(memory, request, request.offset, request.length, true);
    else putSimpleReply(memory, 0, request.cookie);
    this.counts.readBytes += request.length;
    this.batch.add(memory.length);
  }

  private async afterOthers(request: Request): Promise<void> {
    await this.batch.say();
    await this.smallRead(request);
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
    for (const extent of served.extents(offset, length)) {
      const last = extent.at + extent.length === end;
      if (extent.isHole) await this.talk.say(holeChunk(request, extent, last));
      else await this.dataChunks(request, extent, last);
    }
  }

  private async dataChunks(
    request: Request,
    { at: first, length }: DiskExtent,
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
      throw this.unreadable(error);
    }
    return into;
  }

  private unreadable(error: unknown): Refused {
    this.onProblem(messageOf(error));
    return new Refused(ERROR.EIO, messageOf(error));
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
    const extents = joined(served.extents(request.offset, request.length, MAX_PIECES), most);
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

function holeChunk({ cookie }: Request, { at, length }: DiskExtent, isLast: boolean): Buffer {
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
function joined(all: Iterable<DiskExtent>, most: number): NbdExtent[] {
  const extents: NbdExtent[] = [];
  for (const { length, isHole } of all) {
    const last = extents.at(-1);
    if (last?.isHole === isHole) last.length += length;
    else if (extents.length === most) break;
    else extents.push({ length, isHole });
  }
  return extents;
}
