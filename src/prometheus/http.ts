import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";

/** Where to listen. */
export interface Address {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

export interface Answer {
  readonly status: number;
  /** Plain text when absent. */
  readonly type?: string;
  readonly body: string;
}

/** What a server answers from: a path without its query, and the Accept header. */
export type Answerer = (path: string, accept: string) => Answer | Promise<Answer>;

export interface Listening {
  /** HOST:PORT. */
  readonly address: string;
  close(): void;
}

/** A scrape is a few hundred bytes of header, and no body; a client that needs more time than this is no scraper. */
const MAX_HEADER_BYTES = 8192;
const TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 32;
const TEXT = "text/plain; charset=utf-8";
const READING = new Set(["GET", "HEAD"]);

/**
 * Serves GET and HEAD until it is closed or nothing else keeps the process alive. node:http, because fastify costs 200 ms
 * and 9 MB for three paths (docs/decisions/0010-monitoring.md).
 *
 * @throws OperationalError when the address cannot be listened on
 */
export async function listen(
  { host, port }: Address,
  answer: Answerer,
  warn: (message: string) => void,
): Promise<Listening> {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: TIMEOUT_MS,
      requestTimeout: TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => {
      reply(request, response, answer).catch((error) => {
        warn(`${request.method} ${request.url} of the metrics address: ${messageOf(error)}`);
        if (response.headersSent) response.destroy();
        else send(response, { status: 500, body: "internal error\n" }, true);
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on("connection", (socket) => socket.unref());
  await bind({ host, port }, server);
  server.on("error", (error) => warn(`the metrics address: ${messageOf(error)}`));
  server.unref();
  return {
    address: show(host, (server.address() as AddressInfo).port),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** @throws OperationalError when the address cannot be listened on */
export async function bind<S extends Server>({ host, port }: Address, server: S): Promise<S> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(new OperationalError(`metrics address ${show(host, port)}: ${reasonOf(error)}`)),
    );
    server.listen(port, host, resolve);
  });
  return server;
}

async function reply(request: IncomingMessage, response: ServerResponse, answer: Answerer): Promise<void> {
  const { method = "", url = "", headers } = request;
  if (!READING.has(method)) {
    response.setHeader("Allow", [...READING].join(", "));
    return send(response, { status: 405, body: "GET or HEAD\n" }, true);
  }
  // A body that is not read would be taken for the next request.
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;
  if (hasBody) return send(response, { status: 413, body: "no body, please\n" }, true);
  send(response, await answer(url.split("?", 1)[0] ?? "", headers.accept ?? ""), false);
}

/** A HEAD is answered without the body by node:http. */
function send(response: ServerResponse, { status, type = TEXT, body }: Answer, isLast: boolean): void {
  response.statusCode = status;
  response.setHeader("Content-Type", type);
  response.setHeader("Content-Length", Buffer.byteLength(body));
  if (isLast) response.setHeader("Connection", "close");
  response.end(body);
}

const show = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

const reasonOf = (error: Error): string =>
  codeOf(error) === "EADDRINUSE" ? "another process listens there" : messageOf(error);
