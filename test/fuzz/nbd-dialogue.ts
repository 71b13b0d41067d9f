import { COMMAND, OPTION, REPLY } from "../../src/nbd/protocol.ts";
import { must } from "./target.ts";

/*
 * What an NBD client said and what came back, side by side: the server answers one thing after the other, so that each answer can be
 * held to what it is of.
 */

const OPTION_MAGIC = Buffer.from("IHAVEOPT");
const REPLY_MAGIC = 0x0003_e889_0455_65a9n;
const REQUEST_MAGIC = 0x2560_9513;
const SIMPLE = 0x6744_6698;
const STRUCTURED = 0x668e_33ef;
const GREETING = Buffer.concat([Buffer.from("NBDMAGIC"), OPTION_MAGIC, Buffer.from([0, 3])]);
/** Longest option that is looked at. */
const MAX_OPTION = 64 << 10;
const MAX_READ = 32 << 20;
/** Replies behind which nothing more comes about an option. */
const isFinal = (type: number): boolean => type === REPLY.ACK || type >= 0x8000_0000;

/** There is no more of it. */
class Over extends Error {}

class Reader {
  private readonly bytes: Buffer;
  private at = 0;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new Over();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  get left(): number {
    return this.bytes.length - this.at;
  }
}

/** A dialogue, as far as the client kept to the protocol. */
export class NbdDialogue {
  private readonly said: Reader;
  private readonly got: Reader;
  private readonly disk: Buffer;
  private isStructured = false;

  constructor(said: Uint8Array, got: Buffer, disk: Buffer) {
    this.said = new Reader(Buffer.from(said));
    this.got = new Reader(got);
    this.disk = disk;
  }

  /** @returns how many requests were answered @throws Broken */
  requests(): number {
    let count = 0;
    try {
      must(this.got.take(GREETING.length).equals(GREETING), () => "greets otherwise");
      const flags = this.said.take(4).readUInt32BE(0);
      if (flags > 3) return this.end();
      while (!this.option((flags & 2) === 0)) {}
      while (this.request()) count++;
      return this.end(count);
    } catch (error) {
      if (error instanceof Over) return count; // one side was cut short: by the client, who then gets no more
      throw error;
    }
  }

  /** The client broke the protocol, or said goodbye: nothing more may come. */
  private end(count = 0): number {
    must(this.got.left === 0, () => `${this.got.left} bytes that nobody asked for`);
    return count;
  }

  /** @returns whether requests follow */
  private option(wantsZeroes: boolean): boolean {
    const head = this.said.take(16);
    if (!head.subarray(0, 8).equals(OPTION_MAGIC)) {
      this.end();
      throw new Over();
    }
    const option = head.readUInt32BE(8);
    const length = head.readUInt32BE(12);
    this.said.take(length);
    if (option === OPTION.EXPORT_NAME) return this.exportName(wantsZeroes);
    let type: number;
    do {
      const reply = this.got.take(20);
      must(reply.readBigUInt64BE(0) === REPLY_MAGIC, () => `no reply: ${reply.toString("hex")}`);
      must(
        reply.readUInt32BE(8) === option,
        () => `a reply to option ${reply.readUInt32BE(8)}, not ${option}`,
      );
      type = reply.readUInt32BE(12);
      this.got.take(reply.readUInt32BE(16));
    } while (!isFinal(type));
    must(length <= MAX_OPTION || type === REPLY.TOO_BIG, () => `reply ${type} to ${length} bytes`);
    if (option === OPTION.STRUCTURED_REPLY && type === REPLY.ACK) this.isStructured = true;
    if (option === OPTION.ABORT && type === REPLY.ACK) {
      this.end();
      throw new Over();
    }
    return option === OPTION.GO && type === REPLY.ACK;
  }

  private exportName(wantsZeroes: boolean): boolean {
    const answer = this.got.take(wantsZeroes ? 134 : 10);
    must(Number(answer.readBigUInt64BE(0)) === this.disk.length, () => "a disk of another size");
    must(
      answer.subarray(10).every((byte) => byte === 0),
      () => "zeros that are none",
    );
    return true;
  }

  /** @returns whether there may be another one */
  private request(): boolean {
    const head = this.said.take(28);
    if (head.readUInt32BE(0) !== REQUEST_MAGIC) return false;
    const type = head.readUInt16BE(6);
    if (type === COMMAND.DISCONNECT) return false;
    const length = head.readUInt32BE(24);
    if (type === COMMAND.WRITE) this.said.take(length);
    const offset = head.readBigUInt64BE(16);
    const isInside = offset + BigInt(length) <= BigInt(this.disk.length) && length <= MAX_READ;
    const want =
      type === COMMAND.READ && isInside
        ? this.disk.subarray(Number(offset), Number(offset) + length)
        : undefined;
    const error = this.answer(head.subarray(8, 16), want, Number(offset));
    const isRead = type === COMMAND.READ || type === COMMAND.CACHE;
    if (isRead) must((error === 0) === isInside, () => `error ${error} for ${length} bytes from ${offset}`);
    if (isChange(type)) must(error === 1, () => `error ${error}, not EPERM, for command ${type}`);
    return true;
  }

  /** @param want what a read is to give @returns the error */
  private answer(cookie: Buffer, want: Buffer | undefined, offset: number): number {
    const magic = this.got.take(4).readUInt32BE(0);
    if (magic === SIMPLE) {
      const rest = this.got.take(12);
      must(rest.subarray(4).equals(cookie), () => "a cookie that nobody gave");
      const error = rest.readUInt32BE(0);
      if (error === 0 && want !== undefined && !this.isStructured)
        must(this.got.take(want.length).equals(want), () => `other bytes from ${offset}`);
      return error;
    }
    must(magic === STRUCTURED && this.isStructured, () => `no answer: ${magic.toString(16)}`);
    let seen = 0;
    for (;;) {
      const head = this.got.take(16);
      must(head.subarray(4, 12).equals(cookie), () => "a cookie that nobody gave");
      const data = this.got.take(head.readUInt32BE(12));
      const type = head.readUInt16BE(2);
      if (type >= 0x8000) return data.readUInt32BE(0);
      if (want !== undefined && (type === 1 || type === 2)) seen += this.chunk(type, data, want, offset);
      if ((head.readUInt16BE(0) & 1) === 0) {
        this.got.take(4);
        continue;
      }
      must(want === undefined || seen === want.length, () => `${seen} of ${want?.length} bytes`);
      return 0;
    }
  }

  /** Data, or a hole, of a read. @returns its bytes */
  private chunk(type: number, data: Buffer, want: Buffer, offset: number): number {
    const from = Number(data.readBigUInt64BE(0)) - offset;
    const length = type === 1 ? data.length - 8 : data.readUInt32BE(8);
    const found = type === 1 ? data.subarray(8) : Buffer.alloc(length);
    must(from >= 0 && from + length <= want.length, () => `a chunk from ${from} of ${length} bytes`);
    must(found.equals(want.subarray(from, from + length)), () => `other bytes from ${offset + from}`);
    return length;
  }
}

const isChange = (type: number): boolean =>
  type === COMMAND.WRITE || type === COMMAND.TRIM || type === COMMAND.WRITE_ZEROES;
