import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { say, startManaged } from "../support/api.ts";
import { ask, isMounted, until } from "../support/daemon.ts";
import { literally } from "../support/literally.ts";

/** nydusd's words; what is said beside them: test/api/explain.test.ts. */
const error = (message: string) =>
  new RegExp(`^\\{"code":"UNDEFINED","message":${literally(JSON.stringify(message))},"explanation":".+"\\}$`);
const NO_ROUTE = error("NoRoute");
const BAD = error("BadRequest");
const NO_MOUNTPOINT = error(`QueryString("'mountpoint' should be specified in query string")`);
const mountError = (why: string) => error(`Mount(MountFilesystem(Other(${JSON.stringify(why)})))`);
const level = (name: string) => JSON.stringify({ log_level: name });

/** What goes in, and what comes out: the answers that a running nydusd 2.2.0 gave, where it has the same words. */
const rows: [line: string, body: string | undefined, status: number, text: string | RegExp][] = [
  ["GET /api/v1/daemon", undefined, 200, /^\{"version":\{"package_ver":.*"state":"RUNNING"/],
  ["GET http://localhost/api/v1/daemon", undefined, 200, /^\{"version"/],
  ["GET /api/v2/daemon", undefined, 200, /"backend_collection":null\}$/],
  ["GET /api/v1/daemon/events", undefined, 200, /^\{"max_errors":500,"total_errors":0,"max_size":51200,/],
  ["GET /api/v1/metrics", undefined, 200, /"id":"\/"/],
  ["GET /api/v1/metrics?id=/", undefined, 200, /"id":"\/"/],
  ["GET /api/v1/metrics?id=%2F", undefined, 200, /"id":"\/"/],
  ["GET /api/v1/metrics/files", undefined, 200, "{}"],
  ["GET /api/v1/metrics/files?latest=true", undefined, 200, "[]"],
  ["GET /api/v1/metrics/files?latest=false&id=/", undefined, 200, "{}"],
  ["GET /api/v1/metrics/pattern?id=/", undefined, 200, "[]"],
  ["GET /api/v1/metrics/backend?id=/", undefined, 200, /^\{"backend_type":"localfs"/],
  ["GET /api/v1/metrics/blobcache?id=/", undefined, 200, /^\{"underlying_files":\["layer.tar"\]/],
  ["GET /api/v1/metrics/inflight", undefined, 204, ""],
  ["GET /api/v1/metrics?id=/x", undefined, 404, error("GlobalMetrics(Metrics(Stats(NoCounter)))")],
  ["GET /api/v1/metrics?id=", undefined, 404, error("GlobalMetrics(Metrics(Stats(NoCounter)))")],
  ["GET /api/v1/metrics/files?id=x", undefined, 404, error("FsFilesMetrics(Metrics(Stats(NoCounter)))")],
  ["GET /api/v1/metrics/pattern?id=x", undefined, 404, error("Pattern(Metrics(Stats(NoCounter)))")],
  ["GET /api/v1/metrics/backend?id=x", undefined, 404, error("BackendMetrics(Metrics(Stats(NoCounter)))")],
  [
    "GET /api/v1/metrics/blobcache?id=x",
    undefined,
    404,
    error("BlobcacheMetrics(Metrics(Stats(NoCounter)))"),
  ],
  ["PUT /api/v1/daemon", level("Warn"), 204, ""],
  ["PUT /api/v2/daemon", level("off"), 204, ""],
  ["PUT /api/v1/daemon", '{"log_level":"info","more":1}', 204, ""],
  ["PUT /api/v1/daemon", level("bogus"), 500, error("Configure(ResponsePayloadType)")],
  ["PUT /api/v1/daemon", "{}", 400, /"ParseBody\(Error\(.*log_level/],
  ["PUT /api/v1/daemon", "[]", 400, /"ParseBody\(Error\(.*expected object/],
  ["PUT /api/v1/daemon", '{"log_level":3}', 400, /"ParseBody\(Error\(.*expected string/],
  ["PUT /api/v1/daemon", "xx", 400, /"ParseBody\(Error\(.*Unexpected token/],
  ["PUT /api/v1/daemon", " ".repeat(51_200), 400, /"ParseBody\(Error\(.*end of JSON/],
  ["PUT /api/v1/daemon", " ".repeat(51_201), 400, error("BadRequest(Request body is too large)")],
  ["PUT /api/v1/daemon", undefined, 400, BAD],
  ["GET /api/v1/daemon", "x", 400, BAD],
  ["HEAD /api/v1/daemon", undefined, 400, ""],
  ["POST /api/v1/daemon", level("info"), 400, BAD],
  ["DELETE /api/v1/daemon", undefined, 400, BAD],
  ["OPTIONS /api/v1/daemon", undefined, 400, BAD],
  ["PROPFIND /api/v1/daemon", undefined, 400, BAD],
  ["PUT /api/v1/metrics", undefined, 400, BAD],
  ["GET /api/v1/daemon/exit", undefined, 400, BAD],
  ["PUT /api/v1/daemon/exit", "{}", 400, BAD],
  ["PUT /api/v1/daemon/start", "{}", 400, BAD],
  ["PUT /api/v1/daemon/start", undefined, 400, error('Configure(DaemonAbnormal(UnexpectedEvent("Start")))')],
  ["GET /", undefined, 404, NO_ROUTE],
  ["GET /api/v1/daemon/", undefined, 404, NO_ROUTE],
  ["GET //api/v1/daemon", undefined, 404, NO_ROUTE],
  ["GET /api/v1/Daemon", undefined, 404, NO_ROUTE],
  ["GET /api/v1/d%61emon", undefined, 404, NO_ROUTE],
  ["GET /api/v1/%", undefined, 404, NO_ROUTE],
  ["GET /api/v2/metrics", undefined, 404, NO_ROUTE],
  ["GET /api/v2/blobs", undefined, 404, NO_ROUTE],
  ["GET /api/v1/config", undefined, 404, NO_ROUTE],
  ["GET /api/v1/daemon/backend?mountpoint=/", undefined, 404, NO_ROUTE],
  ["POST /api/v1/mount?mountpoint=/", "{}", 400, /"ParseBody\(Error\(.*at source/],
  ["POST /api/v1/mount?mountpoint=/", undefined, 400, BAD],
  ["POST /api/v1/mount", '{"source":"x"}', 400, NO_MOUNTPOINT],
  ["PUT /api/v1/mount", '{"source":"x"}', 400, NO_MOUNTPOINT],
  ["DELETE /api/v1/mount", undefined, 400, NO_MOUNTPOINT],
  ["DELETE /api/v1/mount?mountpoint=/x", "{}", 400, BAD],
  ["DELETE /api/v1/mount?mountpoint=/x", undefined, 500, mountError("object or filesystem doesn't exist")],
  ["GET /api/v1/mount?mountpoint=/", undefined, 400, BAD],
  [
    "PUT /api/v1/daemon/fuse/sendfd",
    undefined,
    500,
    /Configure\(DaemonAbnormal\(SendFd\(.*started without --supervisor/,
  ],
  ["PUT /api/v1/daemon/fuse/sendfd", "{}", 400, BAD],
  [
    "PUT /api/v1/daemon/fuse/takeover",
    undefined,
    400,
    error('Configure(DaemonAbnormal(UnexpectedEvent("Takeover")))'),
  ],
  ["PUT /api/v1/daemon/upgrade", undefined, 500, /Configure\(Upgrade\(.*needs a keeper/],
  ["GET /api/v1/daemon/upgrade", undefined, 400, BAD],
  ["PATCH /api/v1/nope", undefined, 404, NO_ROUTE],
];

// One test, because a daemon of the test's own ends with it.
it("the management API answers as nydusd does, row by row", async () => {
  const daemon = await startManaged();
  const wrong: unknown[] = [];
  for (const [line, body, status, text] of rows) {
    const said = await say(daemon.sock, line, body);
    const isRight = typeof text === "string" ? said.text === text : text.test(said.text);
    const isAlike = said.server === "Nydus API" && said.type === "application/json";
    if (said.status !== status || !isRight || !isAlike) wrong.push({ line, body, ...said });
  }
  expect(wrong).toEqual([]);
  expect(await daemon.stop()).toBe(0);
  expect(existsSync(daemon.sock)).toBe(false);
});

describe.each(["direct", "fuse-native"])("%s", (transport) => {
  it("PUT exit unmounts, ends with status 0 and takes the socket away", async () => {
    const daemon = await startManaged("04-large", "--transport", transport);
    await ask('cat "$1/m1p1" >/dev/null', daemon.mountpoint);
    expect(await say(daemon.sock, "PUT /api/v1/daemon/exit")).toMatchObject({ status: 204, text: "" });
    expect(await daemon.exited).toBe(0);
    expect([isMounted(daemon.mountpoint), existsSync(daemon.sock)]).toEqual([false, false]);
  });
});

it("PUT daemon changes the log level at run time", async () => {
  const daemon = await startManaged("04-large", "--log-level", "warn");
  expect(daemon.output()).not.toContain("INFO");
  await say(daemon.sock, "PUT /api/v1/daemon", level("debug"));
  process.kill(daemon.pid, "SIGUSR2");
  await until(() => daemon.output().includes("SIGUSR2"), "the debug line");
  expect(await daemon.stop()).toBe(0);
  expect(daemon.output()).toMatch(/INFO log level debug\n.*DEBUG SIGUSR2 ignored\n/);
});
