import { createServer, type RequestListener } from "node:http";
import type { Socket } from "node:net";
import { type FastifyReply, fastify } from "fastify";
import { messageOf } from "../bytes/errors.ts";
import { listenAt } from "../listen/unix-socket.ts";
import type { Management } from "./management.ts";
import { pace } from "./pace.ts";
import { type Answer, BAD_REQUEST, NO_ROUTE, problem, ROUTES } from "./routes.ts";

/** The first two are nydusd's. */
const BODY_LIMIT = 51_200;
const CONNECTIONS = 64;
const HEADERS = 8 * 1024;
/** To have sent a request as a whole. */
const REQUEST_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;
/** Requests that a connection has sent without having had its answers: a thousand fit into one packet. */
const UNANSWERED = 8;

const SERVER = "Nydus API";
const JSON_TYPE = "application/json";

/** The management API on a socket. */
export interface ApiServer {
  /** Ends every connection, and removes the socket. */
  close(): Promise<void>;
  /** From now on clients have a bounded share of a CPU, see there. */
  pace(): void;
}

/** @throws OperationalError when the socket cannot be made */
export async function serveApi(path: string, management: Management): Promise<ApiServer> {
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    clientErrorHandler: (_, socket) => refuse(socket),
    frameworkErrors: (_, __, reply) => send(reply, NO_ROUTE), // a path that cannot be decoded
    serverFactory: (handler) => {
      const server = createServer(
        {
          maxHeaderSize: HEADERS,
          requireHostHeader: false, // it is a unix socket
          headersTimeout: REQUEST_MS,
          requestTimeout: REQUEST_MS,
          connectionsCheckingInterval: 1000,
          keepAliveTimeout: KEEP_ALIVE_MS,
        },
        limited(handler),
      );
      server.maxConnections = CONNECTIONS;
      // Of its own accord node answers 417 with nothing in it.
      server.on("checkExpectation", (request, response) => server.emit("request", request, response));
      return server;
    },
  });
  app.removeAllContentTypeParsers(); // a body is what it is, whatever its type is said to be
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body, done) => done(null, body));
  // Before fastify routes: it would decode the path, and know neither of nydusd's two answers.
  app.addHook("onRequest", async (request, reply) => {
    const { path } = target(request.raw.url);
    const here = ROUTES.filter((route) => route.path === path);
    if (here.length === 0) return send(reply, NO_ROUTE);
    const route = here.find(({ method }) => method === request.method);
    if (route === undefined || route.takesBody !== hasBody(request.headers)) return send(reply, BAD_REQUEST);
  });
  for (const route of ROUTES)
    app.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => {
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const answer = await route.answer(management, target(request.raw.url).query, body);
        if (answer.after !== undefined) reply.raw.once("close", answer.after);
        return send(reply, answer);
      },
    });
  app.setNotFoundHandler((_, reply) => send(reply, NO_ROUTE));
  app.setErrorHandler((error, _, reply) => send(reply, problem(400, `BadRequest(${messageOf(error)})`)));
  await app.ready();
  await listenAt(app.server, path, "apisock");
  return {
    pace: () => pace(app.server),
    close: async () => {
      await app.close(); // it does not know that the server listens
      app.server.closeAllConnections();
      await new Promise((resolve) => app.server.close(resolve));
    },
  };
}

/** Ends connections that send requests and do not wait for answers. */
function limited(handler: RequestListener): RequestListener {
  const unanswered = new WeakMap<Socket, number>();
  return (request, response) => {
    const { socket } = request;
    const add = (n: number) => unanswered.set(socket, (unanswered.get(socket) ?? 0) + n);
    if (socket.destroyed) return; // what was sent with the rest
    add(1);
    if ((unanswered.get(socket) ?? 0) > UNANSWERED) {
      socket.destroy();
      return;
    }
    response.once("close", () => add(-1));
    handler(request, response);
  };
}

/** A buffer, because to the type of a text fastify adds a charset. */
const send = (reply: FastifyReply, { status, content }: Answer): FastifyReply =>
  reply
    .code(status)
    .headers({ Server: SERVER, "Content-Type": JSON_TYPE })
    .send(content === undefined ? undefined : Buffer.from(JSON.stringify(content)));

/** Path and query as they were sent, from either form of a request's target. */
function target(url = ""): { path: string; query: URLSearchParams } {
  const origin = url.replace(/^https?:\/\/[^/]*/i, "");
  const cut = origin.indexOf("?");
  return cut < 0
    ? { path: origin, query: new URLSearchParams() }
    : { path: origin.slice(0, cut), query: new URLSearchParams(origin.slice(cut + 1)) };
}

/** As nydusd sees it: an empty body is none. */
const hasBody = (headers: Record<string, string | string[] | undefined>): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** What is no HTTP has no reply object. */
function refuse(socket: Socket): void {
  const body = JSON.stringify(BAD_REQUEST.content);
  const head = `HTTP/1.1 400 Bad Request\r\nServer: ${SERVER}\r\nContent-Type: ${JSON_TYPE}\r\n`;
  if (socket.writable)
    socket.write(`${head}Connection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  socket.destroySoon();
}
