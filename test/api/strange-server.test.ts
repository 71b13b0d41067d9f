import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Client } from "../../src/ctl/client.ts";
import { INFO, LISTS, METRICS } from "../../src/ctl/commands.ts";
import { backendRateText } from "../../src/ctl/text.ts";
import { upgrade } from "../../src/ctl/upgrade.ts";
import { workDir } from "../support/daemon.ts";

/** A stranger behind the socket: says what he likes. */
const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function serve(answer: (socket: Socket) => void): Promise<Client> {
  const path = join(workDir(), "s.sock");
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return new Client(path);
}

const saying = (body: string) =>
  serve((socket) =>
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`),
  );

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";

describe("an answer without end", () => {
  it("is read up to a length", async () => {
    const piece = Buffer.alloc(1 << 20, "x");
    const client = await serve((socket) => {
      socket.write(`${HEAD}"`);
      const more = () => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on("drain", more);
      more();
    });
    await expect(client.get("v1/daemon")).rejects.toThrow("the answer is longer than 268435456 bytes");
  });

  it.each([
    ["after its head", HEAD],
    ["in its head", "HTTP/1.1 200 OK\r\n"],
  ])("is waited for up to a time, also when a little comes now and then %s", async (_, head) => {
    const client = await serve((socket) => {
      socket.write(head);
      const timer = setInterval(() => socket.write(head === HEAD ? " " : "A: b\r\n"), 20);
      socket.on("close", () => clearInterval(timer));
    });
    await expect(client.put("v1/daemon", undefined, 200, 200)).rejects.toThrow(
      "no end of the answer in 0.4 s",
    );
  });
});

it("a daemon that never says that it goes on is not waited for", async () => {
  const client = await saying('{"version":{},"state":"INIT"}');
  await expect(upgrade(client, 100)).rejects.toThrow("the new version serves, but its API does not say so");
});

const STRANGE = "1\n\u001b[31mfake\u202e";
/** Whatever should be a number is a text. */
const texts = new Proxy({}, { get: () => Array.from({ length: 15 }, () => STRANGE) });
const single = { data_read: STRANGE, total_errors: STRANGE, errors: [STRANGE], read_count: STRANGE };
const answerOf = (more: object) =>
  new Proxy({ ...single, ...more }, { get: (own, key) => Reflect.get(own, key) ?? Reflect.get(texts, key) });

describe("texts in the place of numbers make no lines of their own", () => {
  const version = { package_ver: STRANGE, profile: STRANGE, git_commit: STRANGE };
  const config = { rafs: { mode: STRANGE }, cache: { prefetch: { enable: STRANGE, batch_size: STRANGE } } };
  const backend = { backend_type: STRANGE, mounted_time: STRANGE, config };
  const daemon = { version, id: STRANGE, state: STRANGE, backend_collection: { [STRANGE]: backend } };
  it.each<readonly [string, string]>([
    ["info", INFO.text(daemon as never)],
    ...Object.entries(METRICS).map(([name, { text }]) => [name, text(answerOf({}) as never)] as const),
    ["events", LISTS["events"]?.text(answerOf({}) as never) ?? ""],
    ["rates", backendRateText(answerOf({}) as never, answerOf({}) as never, 1)],
  ])("%s", (_, text) => {
    expect(text).not.toContain("1\n");
    expect(text).not.toContain("\u001b");
  });
});
