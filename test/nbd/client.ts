import { connect, type Socket } from "node:net";

/** What came of a request. */
export interface Answer {
  readonly error: number;
  readonly data: Buffer;
  /** Types of structured chunks, in order. */
  readonly chunks: readonly number[];
}

const OPTION_MAGIC = Buffer.from("IHAVEOPT");

export const u16 = (n: number): Buffer => Buffer.from([n >> 8, n & 255]);
export function u32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n >>> 0);
  return bytes;
}
export function u64(n: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(n));
  return bytes;
}

/** Bytes of a name with its length in front. */
export const counted = (name: string): Buffer =>
  Buffer.concat([u32(Buffer.byteLength(name)), Buffer.from(name)]);
/** Data of INFO and GO. */
export const infoOf = (name: string): Buffer => Buffer.concat([counted(name), u16(0)]);
/** Data of the options about contexts. */
export const contextOf = (name: string, ...queries: string[]): Buffer =>
  Buffer.concat([counted(name), u32(queries.length), ...queries.map(counted)]);

/** A client that says exactly what a test wants, well formed or not. */
export class RawClient {
  readonly socket: Socket;
  private got: Buffer = Buffer.alloc(0);
  private wake: () => void = () => {};
  private isOver = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.got = Buffer.concat([this.got, bytes]);
      this.wake();
    });
    socket.on("close", () => {
      this.isOver = true;
      this.wake();
    });
    socket.on("error", () => {});
  }

  static connect(path: string): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => resolve(new RawClient(socket)));
      socket.once("error", reject);
    });
  }

  say(...parts: Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** @throws Error when the server hangs up before */
  async take(length: number): Promise<Buffer> {
    while (this.got.length < length) {
      if (this.isOver) throw new Error("hung up");
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const bytes = this.got.subarray(0, length);
    this.got = this.got.subarray(length);
    return bytes;
  }

  /** Reads what the server begins with, and answers with flags. */
  async hello(flags = 3): Promise<void> {
    const hello = await this.take(18);
    if (hello.toString("latin1", 0, 16) !== "NBDMAGICIHAVEOPT")
      throw new Error(`it said ${hello.toString("hex")}`);
    this.say(u32(flags));
  }

  /** Types and data of the replies to an option, up to the one that ends it. */
  async option(option: number, data: Buffer = Buffer.alloc(0)): Promise<[type: number, data: Buffer][]> {
    this.say(OPTION_MAGIC, u32(option), u32(data.length), data);
    const replies: [number, Buffer][] = [];
    for (;;) {
      const head = await this.take(20);
      const type = head.readUInt32BE(12);
      replies.push([type, await this.take(head.readUInt32BE(16))]);
      if (type === 1 || type >= 2 ** 31) return replies;
    }
  }

  /** The usual way to an export. */
  async go(name = "", isStructured = false): Promise<void> {
    await this.hello();
    if (isStructured) {
      await this.option(8);
      await this.option(10, contextOf(name, "base:allocation"));
    }
    const replies = await this.option(7, infoOf(name));
    if (replies.at(-1)?.[0] !== 1) throw new Error(`GO: ${replies.map(([type]) => type.toString(16))}`);
  }

  request(
    type: number,
    offset: number | bigint,
    length: number,
    flags = 0,
    payload: Buffer = Buffer.alloc(0),
  ): void {
    this.say(u32(0x25609513), u16(flags), u16(type), u64(0x1234n), u64(offset), u32(length), payload);
  }

  /** A simple reply. @param length of the data that follows one without error */
  async simple(length = 0): Promise<Answer> {
    const head = await this.take(16);
    if (head.readUInt32BE(0) !== 0x67446698 || head.readBigUInt64BE(8) !== 0x1234n)
      throw new Error(head.toString("hex"));
    const error = head.readUInt32BE(4);
    return { error, data: error === 0 ? await this.take(length) : Buffer.alloc(0), chunks: [] };
  }

  /** All chunks of a structured reply, put together. */
  async structured(offset: number, length: number): Promise<Answer> {
    const data = Buffer.alloc(length, 0xee);
    const chunks: number[] = [];
    let error = 0;
    for (;;) {
      const head = await this.take(20);
      if (head.readUInt32BE(0) !== 0x668e33ef) throw new Error(head.toString("hex"));
      const type = head.readUInt16BE(6);
      const body = await this.take(head.readUInt32BE(16));
      chunks.push(type);
      if (type === 1) body.copy(data, Number(body.readBigUInt64BE(0)) - offset, 8);
      else if (type === 2)
        data.fill(
          0,
          Number(body.readBigUInt64BE(0)) - offset,
          Number(body.readBigUInt64BE(0)) - offset + body.readUInt32BE(8),
        );
      else if (type >= 0x8000) error = body.readUInt32BE(0);
      if (head.readUInt16BE(4) & 1) return { error, data, chunks };
    }
  }

  /** Whether the server hangs up, having said nothing more. */
  async ends(): Promise<boolean> {
    while (!this.isOver && this.got.length === 0)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    return this.got.length === 0;
  }

  close(): void {
    this.socket.destroy();
  }
}
