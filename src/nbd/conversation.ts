import { setImmediate } from "node:timers/promises";
import type { Socket } from "node:net";

/** Bytes that wait for a client to take them, above which nothing more is read for it. */
const WAITING_BYTES = 128 << 10;
/** Bytes for one client after which the others have their turn. */
const TURN_BYTES = 512 << 10;

const NOTHING = Buffer.alloc(0);

/** The client is gone, or breaks the protocol: nothing more can be said. */
export class Ended extends Error {
  override readonly name = "Ended";
}

/**
 * What is said on a connection, one thing after the other. What a client sends is taken only when it is wanted, and what it
 * does not take waits in a bounded buffer: a client that is slow or silent costs no more than that.
 */
export class Conversation {
  private readonly socket: Socket;
  private readonly stuckMs: number;
  private wake: (() => void) | undefined;
  private turn = 0;
  /** What has come and was not taken yet. */
  private got: Buffer = NOTHING;

  /** @param stuckMs how long a client may take nothing of what waits for it */
  constructor(socket: Socket, stuckMs: number) {
    this.socket = socket;
    this.stuckMs = stuckMs;
    const wake = () => {
      const { wake } = this;
      this.wake = undefined;
      wake?.();
    };
    for (const event of ["readable", "end", "close", "drain"]) socket.on(event, wake);
    socket.on("error", wake); // its "close" follows
  }

  /** Exactly so many bytes. @throws Ended when they do not come any more */
  async take(length: number): Promise<Buffer> {
    for (;;) {
      const bytes = this.takeNow(length);
      if (bytes !== undefined) return bytes;
      await this.more();
    }
  }

  /** The same, if they have come already: requests that come together are answered without waiting for each. */
  takeNow(length: number): Buffer | undefined {
    if (this.got.length < length) {
      const more: Buffer | null = this.socket.read();
      if (more !== null) this.got = this.got.length === 0 ? more : Buffer.concat([this.got, more]);
      if (this.got.length < length) return undefined;
    }
    const bytes = this.got.subarray(0, length);
    this.got = this.got.subarray(length);
    return bytes;
  }

  /** Passes over bytes, without keeping them. */
  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      const bytes = this.got.length > 0 ? this.got : (this.socket.read() as Buffer | null);
      this.got = NOTHING;
      if (bytes === null) await this.more();
      else {
        this.got = bytes.subarray(Math.min(left, bytes.length));
        left -= bytes.length - this.got.length;
      }
    }
  }

  /** @throws Ended when nothing more comes */
  private async more(): Promise<void> {
    if (this.socket.readableEnded || this.socket.destroyed) throw new Ended("the client is gone");
    await this.something();
  }

  /** Sends parts together; waits while too much is on its way. The parts are the socket's from now on. */
  say(...parts: readonly Uint8Array[]): Promise<void> | undefined {
    const { socket } = this;
    if (socket.destroyed) throw new Ended("the client is gone");
    if (parts.length === 1) socket.write(parts[0] as Uint8Array);
    else {
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.uncork();
    }
    for (const { length } of parts) this.turn += length;
    return socket.writableLength > WAITING_BYTES ? this.taken() : this.othersTurn(0);
  }

  /** The socket has taken all that was said: what it was said from may be written over. */
  get isAllTaken(): boolean {
    return this.socket.writableLength === 0;
  }

  /** To be awaited now and then by what takes long. @param bytes that were worked on */
  othersTurn(bytes: number): Promise<void> | undefined {
    this.turn += bytes;
    if (this.turn < TURN_BYTES) return undefined;
    this.turn = 0;
    return setImmediate();
  }

  private async taken(): Promise<void> {
    const { socket, stuckMs } = this;
    const timer = setTimeout(() => socket.destroy(), stuckMs);
    try {
      while (socket.writableLength > WAITING_BYTES) {
        if (socket.destroyed) throw new Ended("the client takes nothing");
        await this.something();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  private something(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}
