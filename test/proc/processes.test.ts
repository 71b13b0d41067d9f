import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, expect, it } from "vitest";
import { isAlive, processState, startOf, statOf, thisThread } from "../../src/proc/processes.ts";

const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-proc-"));
afterAll(() => rmSync(dir, { recursive: true }));

it("statOf reads what follows a process name that looks like the rest of the line", async () => {
  const program = join(dir, "a) R 1 2 (b)");
  copyFileSync("/bin/sleep", program);
  const child = spawn(program, ["30"]);
  const pid = child.pid ?? expect.fail();
  await new Promise((resolve) => child.once("spawn", resolve));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  expect(statOf(pid)?.[1]).toBe(String(process.pid)); // field 4: its parent
  const state = processState(pid);
  expect([isAlive(state), isAlive({ ...state, started: state.started - 1 })]).toEqual([true, false]);
  child.kill("SIGKILL");
  await ended;
  expect([isAlive(state), startOf(pid), statOf(pid)]).toEqual([false, undefined, undefined]);
});

it("thisThread tells the calling thread from others of its process", async () => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const module = new URL("../../dist/src/proc/processes.js", import.meta.url).href;
  const code = `import(${JSON.stringify(module)}).then(({ thisThread }) => {
    const words = require("node:worker_threads").workerData;
    Atomics.store(words, 0, thisThread());
    Atomics.notify(words, 0);
    Atomics.wait(words, 1, 0);
  })`;
  const worker = new Worker(code, { eval: true, workerData: words });
  const exit = new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
  await Promise.race([exit, Atomics.waitAsync(words, 0, 0).value]);
  expect(readdirSync("/proc/self/task")).toContain(String(words[0]));
  expect(words[0]).not.toBe(thisThread());
  expect(statOf(thisThread())).toBeDefined();
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  await exit;
});
