import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { get, say } from "../support/api.ts";
import { startReaders } from "../support/checking-readers.ts";
import {
  ask,
  blobFlags,
  COMMAND,
  type Daemon,
  isMounted,
  kill,
  launch,
  start,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { type Supervisor, supervise } from "../support/supervisor.ts";

const running: Supervisor[] = [];
afterEach(() => {
  for (const supervisor of running.splice(0)) supervisor.end();
});

function supervisor(): { socket: string; keeper: Supervisor } {
  const socket = join(workDir(), "supervisor.sock");
  const keeper = supervise(socket);
  running.push(keeper);
  return { socket, keeper };
}

const { path, devices } = fixture("04-large");
const IMAGE = ["--bootstrap", path, ...blobFlags(devices)];

/** A daemon that waits to be told to take a session over. */
async function waiting(
  mountpoint: string,
  flags: readonly string[],
): Promise<Pick<Daemon, "output" | "exited" | "pid"> & { sock: string }> {
  const sock = join(workDir(), "next.sock");
  const child = launch(process.execPath, [
    COMMAND,
    "--mountpoint",
    mountpoint,
    ...IMAGE,
    "--apisock",
    sock,
    ...flags,
  ]);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
  const exited = new Promise<number | string>((resolve) =>
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "")),
  );
  await until(() => text.includes("management API at"), "the API");
  return { sock, pid: child.pid ?? 0, exited, output: () => text };
}

const state = async (sock: string) => (await get<{ state: string }>(sock, "/api/v1/daemon")).state;
const put = async (sock: string, what: string) => {
  const { status, text } = await say(sock, `PUT /api/v1/daemon/${what}`);
  return text === "" ? status : `${status} ${JSON.parse(text).message}`;
};

describe("nydusd's choreography, with a supervisor in python", () => {
  it("hot upgrade: sendfd, takeover, exit, start; readers notice nothing", async () => {
    const { socket, keeper } = supervisor();
    const sock = join(workDir(), "api.sock");
    const old = await start([...IMAGE, "--apisock", sock, "--id", "one", "--supervisor", socket]);
    const readers = await startReaders(4, old.mountpoint);
    const received = keeper.tell("receive");
    expect(await received()).toBe("listening");
    expect(await put(sock, "fuse/sendfd")).toBe(204);
    expect(await received()).toMatch(/^received \d+ \/dev\/fuse$/);
    const next = await waiting(old.mountpoint, ["--id", "two", "--supervisor", socket, "--upgrade"]);
    expect([await state(next.sock), await put(next.sock, "start")]).toEqual([
      "INIT",
      '400 Configure(DaemonAbnormal(UnexpectedEvent("Start")))',
    ]);
    const gave = keeper.tell("give");
    expect(await gave()).toBe("listening");
    expect(await put(next.sock, "fuse/takeover")).toBe(204);
    expect([await gave(), await state(next.sock), await put(next.sock, "fuse/takeover")]).toEqual([
      expect.stringMatching(/^gave /),
      "READY",
      '400 Configure(DaemonAbnormal(UnexpectedEvent("Takeover")))',
    ]);
    expect(await put(sock, "exit")).toBe(204);
    expect(await put(next.sock, "start")).toBe(204);
    expect(await old.exited).toBe(0);
    expect([await state(next.sock), isMounted(old.mountpoint)]).toEqual(["RUNNING", true]);
    expect((await readers.end()).failed).toEqual([]);
    expect(await ask('cat "$1/m1p1" | wc -c', old.mountpoint)).not.toBe("0\n");
    expect(await put(next.sock, "exit")).toBe(204);
    expect(await next.exited).toBe(0);
    expect(isMounted(old.mountpoint)).toBe(false);
  });

  it("failover: a daemon is killed, the next one finds the mount and the dead socket, and waits by itself", async () => {
    const { socket, keeper } = supervisor();
    const sock = join(workDir(), "api.sock");
    const flags = ["--apisock", sock, "--id", "one", "--supervisor", socket];
    const old = await start([...IMAGE, ...flags]);
    const received = keeper.tell("receive");
    await received();
    expect(await put(sock, "fuse/sendfd")).toBe(204);
    await received();
    const readers = await startReaders(4, old.mountpoint);
    kill(old.pid);
    await old.exited;
    const next = await waiting(old.mountpoint, flags);
    expect(await state(sock)).toBe("INIT");
    for (const kind of ["cut", "garbage", "version", "flipped", "descriptor"]) {
      await keeper.tell(`spoil ${kind}`)();
      const gave = keeper.tell("give");
      await gave();
      expect(await put(sock, "fuse/takeover")).toMatch(
        /^500 Configure\(DaemonAbnormal\(SendFd\(".*supervisor/,
      );
      await gave();
      expect(await state(sock)).toBe("INIT");
      await keeper.tell("spoil back")();
    }
    const gave = keeper.tell("give");
    await gave();
    expect(await put(sock, "fuse/takeover")).toBe(204);
    await gave();
    expect(await put(sock, "start")).toBe(204);
    expect((await readers.end()).failed).toEqual([]);
    expect(next.output()).toContain("requests that were being answered: sent again");
    expect(await put(sock, "exit")).toBe(204);
    expect(await next.exited).toBe(0);
  });
});
