import { createServer, type Server, Socket } from "node:net";
import { Conversation, Ended } from "./conversation.ts";
import { NbdCounts } from "./counts.ts";
import type { Export } from "./export.ts";
import { type Agreement, Negotiation } from "./negotiation.ts";
import { Transmission } from "./transmission.ts";

/** Clients at a time: what they may keep waiting in memory comes to less than 100 MiB. */
const MAX_CONNECTIONS = 256;
const HANDSHAKE_MS = 10_000;
const STUCK_MS = 60_000;

/** Told of what happens. */
export interface NbdLog {
  debug(message: string): void;
  warn(message: string): void;
}

/** Serves disks to clients that speak NBD. */
export class NbdServer {
  readonly server: Server;
  readonly counts = new NbdCounts();
  private readonly exports: ReadonlyMap<string, Export>;
  private readonly log: NbdLog;
  private readonly sockets = new Set<Socket>();

  /** @param exports by name, at least one; the first is what a client gets that names none */
  constructor(exports: ReadonlyMap<string, Export>, log: NbdLog) {
    this.exports = exports;
    this.log = log;
    this.server = createServer({ noDelay: true }, (socket) => void this.accept(socket));
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  /** Ends all conversations. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /**
   * Serves a client with whom all is agreed on: the kernel, by simple replies.
   *
   * @param fd of the connected socket, which becomes this server's
   * @returns when the conversation is over
   */
  serveAgreed(fd: number, served: Export): Promise<void> {
    const socket = new Socket({ fd, readable: true, writable: true });
    const agreement = { served, isStructured: false, hasAllocation: false };
    return this.converse(socket, () => Promise.resolve(agreement));
  }

  private accept(socket: Socket): Promise<void> {
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_MS);
    return this.converse(socket, (talk) =>
      new Negotiation(talk, this.exports).agree().finally(() => clearTimeout(timer)),
    );
  }

  private async converse(
    socket: Socket,
    agree: (talk: Conversation) => Promise<Agreement | undefined>,
  ): Promise<void> {
    this.sockets.add(socket);
    this.counts.clients++;
    this.counts.allClients++;
    try {
      const talk = new Conversation(socket, STUCK_MS);
      const agreement = await agree(talk);
      if (agreement !== undefined)
        await new Transmission(talk, agreement, this.counts, (problem) => this.log.warn(problem)).serve();
      socket.destroySoon(); // whatever else the client has sent: nobody will read it
    } catch (error) {
      if (!(error instanceof Ended))
        this.log.warn(`a client: ${error instanceof Error ? error.message : error}`);
      else this.log.debug(`a client: ${error.message}`);
      socket.destroy();
    } finally {
      this.sockets.delete(socket);
      this.counts.clients--;
    }
  }
}
