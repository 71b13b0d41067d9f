import { describe, expect, it } from "vitest";
import { explain } from "../../src/api/explain.ts";
import {
  MountFailed,
  NoCounter,
  NoSuchLevel,
  NotReady,
  refusalOf,
  TransferFailed,
  Unsupported,
  UpgradeFailed,
  WrongState,
} from "../../src/api/management.ts";
import { problem } from "../../src/api/routes.ts";

describe("what nydusd says is told in people's words", () => {
  const level = "no such log level: want error, warn, info, debug, trace or off";
  it.each([
    ["NoRoute", "the API has no such path"],
    ["BadRequest", "not what this path takes: another method, or a body that is missing or too much"],
    ["BadRequest(Request body is too large)", "Request body is too large"],
    [`QueryString("'mountpoint' should be specified in query string")`, "the query names no mountpoint"],
    ["Configure(ResponsePayloadType)", level],
    [
      'Configure(DaemonAbnormal(UnexpectedEvent("Start")))',
      "only a daemon that waits to serve can be started",
    ],
    [
      "GlobalMetrics(Metrics(Stats(NoCounter)))",
      "no image of that id, or no id where there are several images",
    ],
    [
      'Mount(MountFilesystem(Other("object or filesystem already exists")))',
      "an image is mounted there already: remount replaces it",
    ],
    [`Mount(MountFilesystem(Other("object or filesystem doesn't exist")))`, "no image is mounted there"],
    // As genuine nydusd, Rust's way to show texts.
    ['Mount(MountFilesystem(Other("no such file \\"/x\\"\\nos error 2")))', 'no such file "/x" os error 2'],
    ['ParseBody(Error("expected value", line: 1, column: 2))', "expected value"],
    ["Configure(DaemonAbnormal(NotReady))", "the daemon does not serve yet, or not any more"],
    ["Something(Else { at: 3 })", "Else { at: 3 }"],
    ["", ""],
  ])("%s", (said, want) => expect(explain(said)).toBe(want));
});

describe("a refusal of ours says what it knows besides", () => {
  it.each([
    [new WrongState("Start", "RUNNING"), 400, "the daemon is RUNNING, start wants READY"],
    [new WrongState("Exit", "INIT"), 400, "the daemon is INIT, exit wants READY or RUNNING"],
    [new WrongState("Takeover", "RUNNING"), 400, "the daemon is RUNNING, takeover wants INIT"],
    [new NoCounter("/x", ["/a", "/b"]), 404, 'no image "/x"; there are: /a, /b'],
    [new NoCounter(undefined, ["/a", "/b"]), 404, "which image is not said; there are: /a, /b"],
    [new NoCounter(undefined, []), 404, "no image is mounted"],
    [new NoSuchLevel("loud"), 500, 'no log level "loud": want error, warn, info, debug, trace or off'],
    [new NotReady(), 503, "the daemon does not serve yet, or not any more"],
    [new Unsupported("it cannot"), 501, "it cannot"],
    [new MountFailed("object or filesystem already exists", "/a: taken"), 500, "/a: taken"],
    [new MountFailed('blob "a": not found'), 500, 'blob "a": not found'],
    [new TransferFailed("no supervisor"), 500, "no supervisor"],
    [new UpgradeFailed("not ready in time"), 500, "not ready in time"],
    [new Error("anything else"), 500, "anything else"],
  ])("%s", (error, status, want) => {
    const refusal = refusalOf(error);
    const { content } = problem(refusal.status, `Wrapper(${error.message})`, refusal.explanation);
    expect(refusal.status).toBe(status);
    expect(content).toEqual({ code: "UNDEFINED", message: `Wrapper(${error.message})`, explanation: want });
  });
});
