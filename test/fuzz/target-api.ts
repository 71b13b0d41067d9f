import { join } from "node:path";
import {
  type Instance,
  type Management,
  MountFailed,
  type MountCommand,
  NoCounter,
  WrongState,
} from "../../src/api/management.ts";
import { ROUTES } from "../../src/api/routes.ts";
import { serveApi } from "../../src/api/server.ts";
import { OperationalError } from "../../src/bytes/errors.ts";
import { parseConfig } from "../../src/daemon/config.ts";
import { namesOf } from "../../src/pseudo/pseudo-tree.ts";
import { answers, exchange } from "../support/raw-http.ts";
import { concat, mutateBytes } from "./mutate.ts";
import { mutateText } from "./mutate-text.ts";
import type { Random } from "./random.ts";
import { type MakeTarget, must, refusal, type Verdict } from "./target.ts";

const CONFIG = JSON.stringify({
  device: { backend: { type: "localfs", config: { dir: "/b" } } },
  mode: "direct",
});
const BODIES = [
  { log_level: "info" },
  { fs_type: "rafs", source: "/image.boot", config: CONFIG, prefetch_files: ["/a"] },
].map((body) => JSON.stringify(body));
const KEYS = ["log_level", "fs_type", "source", "config", "prefetch_files"];
const VALUES = ["info", "trace", "rafs", "passthrough_fs", "/image.boot", CONFIG, "{}", "/a"];
const LINES = [
  ...ROUTES.map(({ method, path }) => `${method} ${path} HTTP/1.1\r\n`),
  ...["/a/b", "/", "/../x", "/%2e%2e", "%00", "x"].map(
    (path) => `POST /api/v1/mount?mountpoint=${path} HTTP/1.1\r\n`,
  ),
  ...[
    "GET http://h/api/v1/daemon HTTP/1.0\r\n",
    "GET /api/v1/metrics?id=%ff&id=2 HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
  ],
];
const HEADERS = [
  ...[
    "Content-Length: 7\r\n",
    "Content-Length: 99999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
  ],
  ...[
    "Connection: close\r\n",
    "Upgrade: x\r\n",
    "Content-Type: application/json\r\n",
    "\r\n",
    "X: ",
    "0\r\n\r\n",
    "5;x\r\n",
  ],
];

/** Answers as a daemon would that serves one image and can mount others, none of which is there. */
class Answering implements Partial<Management> {
  info = () => ({
    ...{
      version: { package_ver: "", git_commit: "", build_time: "", profile: "", rustc: "" },
      id: null,
      supervisor: null,
    },
    ...{ state: "RUNNING" as const, backend_collection: null },
  });
  events = () => ({ max_errors: 1, total_errors: 0, max_size: 1, total_size: 0, errors: [] });
  setLogLevel = (level: string) => level === "info";
  start = () => {
    throw new WrongState("Start", "RUNNING");
  };
  exit = () => () => {};
  inflight = () => [];
  instance = (): Instance => {
    throw new NoCounter(undefined, []);
  };
  mount = async (path: string, { config }: MountCommand) => {
    if (namesOf(path) === undefined) throw new MountFailed(`mountpoint ${path}`);
    try {
      if (config !== "") parseConfig(config, `of ${path}`);
    } catch (error) {
      refusal(error, OperationalError);
      throw new MountFailed((error as Error).message);
    }
    throw new MountFailed("no such file");
  };
  sendDevice = async () => {};
  takeOver = async () => {};
  upgrade = async () => () => {};
  remount = this.mount;
  unmount = (path: string) => this.mount(path, { source: "", config: "", prefetchFiles: undefined });
}

const request = (line: string, body: Uint8Array): Uint8Array =>
  concat(Buffer.from(`${line}Content-Length: ${body.length}\r\n\r\n`, "latin1"), body);

/** The management API: connections with whatever on them, and bodies that are looked at as JSON. */
export const apiTarget: MakeTarget = async (dir) => {
  const path = join(dir, "api.sock");
  const server = await serveApi(path, new Answering() as Management);
  const alive = Buffer.from("GET /api/v1/daemon HTTP/1.1\r\nConnection: close\r\n\r\n");
  let count = 0;

  const run = async (input: Uint8Array): Promise<Verdict> => {
    const said = answers(await exchange(path, [input]));
    for (const { status, body } of said) {
      must(status === 200 || status === 204 || (status >= 400 && status < 600), () => `status ${status}`);
      must(
        !/TypeError|RangeError|ReferenceError|at .*\.js:/.test(body),
        () => `an error of its own: ${body}`,
      );
      if (body !== "") JSON.parse(body);
    }
    if (++count % 64 === 0) {
      const [answer] = answers(await exchange(path, [alive]));
      must(answer?.status === 200, () => `no answer any more: ${answer?.status}`);
    }
    return said.some(({ status }) => status < 300) ? "accepted" : "refused";
  };
  const seeds = LINES.map((line, i) => request(line, Buffer.from(/^P[OU]/.test(line) ? BODIES[i % 2] : "")));
  return { seeds, longest: 64 << 10, memory: 256, mutate: mutateRequest, run, close: () => server.close() };
};

function mutateRequest(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const cut = Buffer.from(input).indexOf("\r\n\r\n");
  if (cut < 0 || random.once(3)) return mutateBytes(input, other, random, [...LINES, ...HEADERS, ...BODIES]);
  if (random.once(8)) return concat(input, other);
  const body = mutateText(input.subarray(cut + 4), other, random, KEYS, VALUES);
  return request(
    random.once(4) ? random.pick(LINES) : `${Buffer.from(input).toString("latin1").split("\r\n")[0]}\r\n`,
    body,
  );
}
