import type { Socket } from "node:net";

/** What a hostile client of an HTTP server does with a connection. */
type Act = (socket: Socket, seed: number, stop: AbortSignal) => void;

const MIB = 1 << 20;
const HEAD = "PUT /api/v1/daemon HTTP/1.1\r\nHost: x\r\n";
/** Between two bytes of somebody slow. */
const DRIP_MS = 100;

/** Random, the same for one seed. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed + 1) * 2_654_435_761;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state ^ (state >>> 15), 2_246_822_519) + i;
    bytes[i] = state >>> 11;
  }
  return bytes;
}

const say =
  (...texts: (string | Buffer)[]): Act =>
  (socket, seed) =>
    socket.write(texts[seed % texts.length]);

const drip =
  (start: string, drop: string): Act =>
  (socket, _, stop) => {
    socket.write(start);
    const timer = setInterval(() => socket.write(drop), DRIP_MS);
    stop.addEventListener("abort", () => clearInterval(timer));
  };

const request = (line: string, headers = "", body = ""): string =>
  `${line} HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`;

const GARBAGE = Array.from({ length: 8 }, (_, i) => noise(65_536, i));

export const ABUSES: readonly (readonly [name: string, act: Act])[] = [
  ["garbage", say(...GARBAGE)],
  ["silence", () => {}],
  ["slow body", drip(`${HEAD}Content-Length: 1000\r\n\r\n{`, " ")],
  ["slow headers", drip(HEAD, "X: y\r\n")],
  ["1 MiB of headers", say(`${HEAD}X: ${"x".repeat(MIB)}\r\n\r\n`)],
  ["many headers", say(HEAD + "X: y\r\n".repeat(50_000))],
  [
    "wrong methods",
    say(
      ...["POST", "DELETE", "PATCH", "PROPFIND", "TRACE"].map((method) =>
        request(`${method} /api/v1/daemon`),
      ),
    ),
  ],
  ["no method", say(request("FROB /api/v1/daemon"), request(""), request("GET"))],
  ["pipelining", say(request("GET /api/v1/daemon").repeat(100), request("GET /nope").repeat(1000))],
  ["huge body", say(request("PUT /api/v1/daemon", "Content-Length: 99999999999\r\n", "x".repeat(MIB)))],
  ["impossible length", say(request("PUT /api/v1/daemon", `Content-Length: ${"9".repeat(40)}\r\n`))],
  [
    "broken chunks",
    say(
      request("PUT /api/v1/daemon", "Transfer-Encoding: chunked\r\n", "zz\r\n\r\n"),
      request("PUT /api/v1/daemon", "Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\nx"),
      request("PUT /api/v1/daemon", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n".repeat(60_000)),
    ),
  ],
  [
    "two lengths",
    say(
      request("PUT /api/v1/daemon", "Content-Length: 1\r\nContent-Length: 2\r\n", "xx"),
      request("PUT /api/v1/daemon", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ),
  ],
  ["NUL bytes", say(Buffer.alloc(4096), request("GET /api/v1/\0daemon"), request("GET /", "X: \0\r\n"))],
  ["HTTP/2", say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0")],
  [
    "no UTF-8",
    say(
      Buffer.from("GET /api/v1/\xff\xfe\x80 HTTP/1.1\r\nHost: x\r\n\r\n", "latin1"),
      request("GET /%ff%fe%80"),
    ),
  ],
  [
    "long URL",
    say(request(`GET /${"x".repeat(100_000)}`), request(`GET /api/v1/metrics?id=${"y".repeat(7000)}`)),
  ],
  ["upgrade", say(request("GET /api/v1/daemon", "Connection: Upgrade\r\nUpgrade: websocket\r\n"))],
  ["gone at once", (socket) => socket.destroy()],
];
