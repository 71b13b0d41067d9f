import { setImmediate } from "node:timers/promises";
import type { Socket } from "node:net";

/** Bytes that wait for a client to take them, above which nothing more is read for it. */
const WAITING_BYTES = 128 << 10;
/** Bytes for one client after which the others have their turn. */
const TURN_BYTES = 512 << 10;

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
      const bytes: Buffer | null = length === 0 ? Buffer.alloc(0) : this.socket.read(length);
      if (bytes?.length === length) return bytes;
      if (bytes !== null || this.socket.readableEnded || this.socket.destroyed)
        throw new Ended("the client is gone");
      await this.something();
    }
  }

  /** Passes over bytes, without keeping them. */
  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      // Not `left`, for which Node would want a buffer.
      const bytes: Buffer | null = this.socket.read(Math.min(left, this.socket.readableLength || 1));
      if (bytes !== null) left -= bytes.length;
      else if (this.socket.readableEnded || this.socket.destroyed) throw new Ended("the client is gone");
      else await this.something();
    }
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
