import fc from "fast-check";
import { expect, it } from "vitest";
import { get, startManaged } from "../support/api.ts";
import { ask, facts } from "../support/daemon.ts";
import { answers, exchange } from "../support/raw-http.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const anything = fc.uint8Array({ maxLength: 200 });
const method = fc.constantFrom(
  "GET",
  "PUT",
  "POST",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "M-SEARCH",
  "get",
  "FROB",
  "",
);
const target = fc.oneof(
  fc.constantFrom(
    "/api/v1/daemon",
    "/api/v1/metrics/files?latest=true",
    "/api/v1/metrics?id=%ff",
    "*",
    "",
    "//",
    "http://x/api/v1/daemon",
  ),
  anything.map((raw) => `/${Buffer.from(raw).toString("latin1")}`),
);
const version = fc.constantFrom("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "http/1.1", "");
const header = fc.oneof(
  fc.constantFrom(
    ...[
      "Content-Length: 3",
      "Content-Length: -1",
      "Content-Length: 1e9",
      "Content-Length: 0",
      "Connection: close",
    ],
    ...[
      "Transfer-Encoding: chunked",
      "Transfer-Encoding: gzip, chunked",
      "Expect: 100-continue",
      "Expect: x",
      "Upgrade: x",
    ],
    ...["Connection: upgrade", "Host: x", "Host: y", ": x", "X : y", " folded"],
  ),
  anything.map((raw) => `X: ${Buffer.from(raw).toString("latin1")}`),
);
const request = fc
  .tuple(method, target, version, fc.array(header, { maxLength: 5 }), fc.constantFrom("\r\n", "\n"), anything)
  .map(([verb, path, protocol, headers, eol, body]) =>
    Buffer.concat([bytes([`${verb} ${path} ${protocol}`, "Host: x", ...headers, "", ""].join(eol)), body]),
  );
/** Whole requests, parts of some, and noise, in pieces. */
const conversation = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: request },
    anything,
    request.chain((r) => fc.nat(r.length).map((n) => r.subarray(0, n))),
  ),
  { minLength: 1, maxLength: 4 },
);

it("malformed requests get an HTTP answer and a closed connection; readers notice nothing", async () => {
  const { sock, mountpoint, pid, stop, output } = await startManaged("04-large", "--log-level", "info");
  const read = () => ask('dd if="$1/m1p1" iflag=direct bs=64k status=none | sha256sum', mountpoint);
  const right = await read();
  const { threads } = facts(pid);
  await fc.assert(
    fc.asyncProperty(conversation, async (pieces) => {
      for (const { status, body } of answers(await exchange(sock, pieces))) {
        expect(status === 200 || status === 204 || (status >= 400 && status < 600)).toBe(true);
        if (body !== "") JSON.parse(body);
      }
    }),
    { numRuns: 300 },
  );
  expect(await read()).toBe(right);
  expect(await get(sock, "/api/v1/daemon")).toMatchObject({ state: "RUNNING" });
  expect(facts(pid).threads).toBeLessThanOrEqual(threads);
  expect(output()).not.toMatch(/WARN|ERROR/);
  expect(await stop()).toBe(0);
});

it("HTTP pipelining works up to a bound", async () => {
  const { sock, stop } = await startManaged();
  const ahead = (n: number) =>
    exchange(sock, [bytes("GET /api/v1/daemon HTTP/1.1\r\nHost: x\r\n\r\n".repeat(n))]);
  expect(answers(await ahead(8)).map(({ status }) => status)).toEqual(new Array(8).fill(200));
  expect((await ahead(1000)).length).toBe(0);
  expect(await stop()).toBe(0);
});
