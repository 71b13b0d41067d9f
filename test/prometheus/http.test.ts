import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/daemon/metrics-address.ts";
import { listen } from "../../src/prometheus/http.ts";
import { fakeMount, startServer } from "./mount.ts";

/** Sends bytes as they are; all that comes back until the other side closes. */
function raw(url: string, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}

const status = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

describe("an address", () => {
  it.each([
    ["9100", "127.0.0.1", 9100],
    ["0", "127.0.0.1", 0],
    ["0.0.0.0:80", "0.0.0.0", 80],
    ["localhost:65535", "localhost", 65_535],
    ["[::1]:9100", "::1", 9100],
    ["[fe80::1%eth0]:1", "fe80::1%eth0", 1],
  ])("%s", (text, host, port) => expect(parseAddress(text)).toEqual({ host, port }));

  it.each([
    "",
    "x",
    ":9100",
    "65536",
    "-1",
    "1.5",
    "::1:9100",
    "[::1]",
    "[]:1",
    "a b:1",
    "http://x:1",
    "x:",
    "1:2:3",
  ])("%s is none", (text) => expect(parseAddress(text)).toBeUndefined());

  it.each(["127.0.0.1", "::1"])("%s that is taken is said", async (host) => {
    const first = await listen(
      { host, port: 0 },
      () => ({ status: 200, body: "" }),
      () => {},
    );
    const port = Number(first.address.split(":").at(-1));
    const again = listen(
      { host, port },
      () => ({ status: 200, body: "" }),
      () => {},
    );
    await expect(again).rejects.toThrow(`metrics address ${first.address}: another process listens there`);
    first.close();
  });

  it("that this host does not have is said", async () => {
    const none = listen(
      { host: "192.0.2.1", port: 0 },
      () => ({ status: 200, body: "" }),
      () => {},
    );
    await expect(none).rejects.toThrow("metrics address 192.0.2.1:0: listen EADDRNOTAVAIL");
  });
});

describe("a path", () => {
  it.each([
    ["starting", undefined, 503, 503],
    ["serving", "serving", 200, 200],
    ["stopping", "stopping", 503, 200],
  ] as const)("while %s", async (word, state, ready, metrics) => {
    const mount = fakeMount();
    if (state !== undefined) mount.at = state;
    const { url } = await startServer(() => {}, state && mount);
    const readyz = await fetch(`${url}/readyz`);
    expect([readyz.status, await readyz.text()]).toEqual([ready, `${word}\n`]);
    expect((await fetch(`${url}/metrics?x=1`)).status).toBe(metrics);
    const healthz = await fetch(`${url}/healthz`);
    expect([healthz.status, await healthz.text()]).toEqual([200, "ok\n"]);
    expect((await fetch(`${url}/`)).status).toBe(404);
    const head = await fetch(`${url}/healthz`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "3", ""]);
  });
});

describe("a client that misbehaves", () => {
  it.each<[what: string, bytes: string | Buffer, want: number]>([
    ["POST", "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405],
    ["DELETE", "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", 405],
    ["OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405],
    ["GET with a body", "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nabc", 413],
    [
      "GET with chunks",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
      413,
    ],
    ["large headers", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(9000)}\r\n\r\n`, 431],
    ["a long path", `GET /${"a".repeat(9000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ["no HTTP", "hello\r\n\r\n", 400],
    ["bytes", Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) & 255)), 400],
    ["two lengths", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400],
    ["no Host", "GET / HTTP/1.1\r\n\r\n", 400],
  ])("%s", async (_, bytes, want) => {
    const warnings: string[] = [];
    const { url } = await startServer((message) => warnings.push(message), fakeMount());
    expect(status(await raw(url, bytes))).toBe(want);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(warnings).toEqual([]);
  });

  it("CONNECT is not answered", async () => {
    const { url } = await startServer(() => {}, fakeMount());
    expect(await raw(url, "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n")).toBe("");
  });

  it("is let go when it says nothing, or too slowly; a crowd is not let in", async () => {
    const { url } = await startServer(() => {}, fakeMount());
    const answers = await Promise.all(Array.from({ length: 100 }, () => raw(url, "GET / HTTP/1.1\r\nX")));
    expect(answers.filter((answer) => status(answer) === 408)).toHaveLength(32);
    expect(answers.filter((answer) => answer === "")).toHaveLength(68);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  it("an error of ours is answered 500 and said", async () => {
    const warnings: string[] = [];
    const mount = fakeMount();
    const { url } = await startServer((message) => warnings.push(message), {
      ...mount,
      workers: () => {
        throw new Error("what");
      },
    });
    expect((await fetch(`${url}/metrics`)).status).toBe(500);
    expect(warnings).toEqual(["GET /metrics of the metrics address: what"]);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });
});
