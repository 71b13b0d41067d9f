import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { formatState, parseState, type SessionState } from "./state.ts";

/** What the process that serves a session tells the one that waits to, a line of JSON each. */
type ToNext =
  /** What there is to be ready for; comes again when it changes. */
  | { readonly type: "state"; readonly state: string }
  /** Serve: no request is taken here any more, but for one that a thread may be about to take. */
  | { readonly type: "begin"; readonly state: string }
  /** All that was taken is answered. Balances: how many lookups the kernel has of each image, by serial. */
  | { readonly type: "over"; readonly balances: readonly (readonly [serial: number, lookups: number])[] };

/** The other way. */
type ToServing =
  | { readonly type: "hello"; readonly version: string }
  | { readonly type: "ready" }
  | { readonly type: "adopt" };

const send = (socket: Socket, message: ToNext | ToServing): void => {
  socket.write(`${JSON.stringify(message)}\n`);
};

function listen<T>(socket: Socket, heard: (message: T) => void, left: () => void): void {
  socket.on("error", () => {}); // "close" follows
  socket.once("close", left);
  let rest = "";
  socket.setEncoding("latin1"); // base64 within JSON
  socket.on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) heard(JSON.parse(line) as T);
  });
}

const pack = (state: SessionState): string => formatState(state).toString("base64");
const unpack = (text: string): SessionState => parseState(Buffer.from(text, "base64"), "the process before");

/** The process that would go on with a session, as the one that serves it sees it. */
export interface Next {
  readonly version: string;
  /** Opened all that there is. */
  readonly isReady: boolean;
}

/** What the process that serves is told of the next one. */
export interface SuccessorEvents {
  /** It has ended, or died. */
  readonly onLeft: () => void;
  /** It is ready and has a keeper, which the process that serves may have lost. */
  readonly onAdopt: () => void;
}

/** Where the next process comes to, in the process that serves. One at a time: a second one is turned away. */
export class Successor {
  private readonly state: () => SessionState;
  private server: Server | undefined;
  private socket: Socket | undefined;
  private next: Next | undefined;
  private waiting: ((next: Next | undefined) => void)[] = [];
  private readonly events: SuccessorEvents;

  constructor(state: () => SessionState, events: SuccessorEvents) {
    this.state = state;
    this.events = events;
  }

  /** @param path of a socket in a directory that only its owner can enter */
  async listen(path: string): Promise<void> {
    rmSync(path, { force: true }); // of a process that died
    const server = createServer((socket) => this.take(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    server.unref();
    this.server = server;
  }

  /** The one that is ready now. */
  get ready(): Next | undefined {
    return this.next?.isReady === true ? this.next : undefined;
  }

  /** Resolves when one is ready; with undefined when one came and left, or after a time. */
  whenReady(ms: number): Promise<Next | undefined> {
    if (this.ready !== undefined) return Promise.resolve(this.ready);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), ms);
      this.waiting.push((next) => {
        clearTimeout(timer);
        resolve(next);
      });
    });
  }

  get isThere(): boolean {
    return this.socket !== undefined;
  }

  /** Resolves when none is there. */
  gone(): Promise<void> {
    const { socket } = this;
    return socket === undefined
      ? Promise.resolve()
      : new Promise((resolve) => socket.once("close", () => resolve()));
  }

  /** There is something else to be ready for. */
  changed(): void {
    if (this.socket !== undefined) send(this.socket, { type: "state", state: pack(this.state()) });
  }

  /** From now on another process listens where this one did. */
  begin(): void {
    this.server?.close(); // which removes the socket
    if (this.socket !== undefined) send(this.socket, { type: "begin", state: pack(this.state()) });
  }

  /** Resolves when it has that. */
  over(lookups: readonly (readonly [number, number])[]): Promise<void> {
    const { socket } = this;
    if (socket === undefined) return Promise.resolve();
    send(socket, { type: "over", balances: lookups });
    return new Promise((resolve) => socket.end(resolve));
  }

  close(): void {
    this.server?.close();
    this.socket?.destroy();
  }

  private take(socket: Socket): void {
    if (this.socket !== undefined) return void socket.destroy();
    this.socket = socket;
    socket.unref();
    listen<ToServing>(
      socket,
      (message) => {
        if (message.type === "hello") {
          this.next = { version: message.version, isReady: false };
          this.changed();
        } else if (message.type === "adopt") this.events.onAdopt();
        else if (this.next !== undefined) {
          this.next = { ...this.next, isReady: true };
          this.settle(this.next);
        }
      },
      () => {
        this.socket = undefined;
        this.next = undefined;
        this.settle(undefined);
        this.events.onLeft();
      },
    );
  }

  private settle(next: Next | undefined): void {
    for (const resolve of this.waiting.splice(0)) resolve(next);
  }
}

/** What the process before said last. */
export interface Begun {
  /** undefined: it died, and its state is in its file. */
  readonly state: SessionState | undefined;
  /** How many lookups the kernel had of each image in the end; undefined: it died before it knew. */
  readonly lookups: Promise<ReadonlyMap<number, number> | undefined>;
}

/**
 * Waits behind the process that serves a session.
 *
 * @param prepare opens what a state names; called again when that changes
 * @param isToAdopt asks it to hand over when it has lost its keeper
 * @returns undefined when no process listens there: it died
 */
export function waitBehind(
  path: string,
  version: string,
  prepare: (state: SessionState) => void,
  isToAdopt: boolean,
): Promise<Begun | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let isBegun = false;
    let settle: (lookups: ReadonlyMap<number, number> | undefined) => void = () => {};
    const lookups = new Promise<ReadonlyMap<number, number> | undefined>((done) => {
      settle = done;
    });
    socket.once("error", () => resolve(undefined));
    socket.once("connect", () => {
      send(socket, { type: "hello", version });
      listen<ToNext>(
        socket,
        (message) => {
          if (message.type === "over") settle(new Map(message.balances));
          else if (message.type === "begin") {
            isBegun = true;
            resolve({ state: unpack(message.state), lookups });
          } else {
            prepare(unpack(message.state));
            send(socket, { type: "ready" });
            if (isToAdopt) send(socket, { type: "adopt" });
          }
        },
        () => {
          settle(undefined);
          if (!isBegun) resolve({ state: undefined, lookups });
        },
      );
    });
  });
}
