import { rmSync, writeFileSync, writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { LENGTH, NUMBER, type Watch, WORDS } from "./guard.ts";

/*
 * The thread beside a fuzzer, which may hang or take all memory: then this one says which input it was, and ends the
 * process, as nobody else can.
 */
const LOOK_MS = 100;
const { shared, dir, scratch, patienceMs, memory } = workerData as Watch;
const words = new Int32Array(shared, 0, WORDS);
const bytes = new Uint8Array(shared, 4 * WORDS);

let number = 0;
let since = performance.now();

function report(what: string): never {
  const path = `${dir}/${what.split(" ")[0]}-${process.pid}`;
  writeFileSync(path, bytes.subarray(0, words[LENGTH]));
  writeSync(2, `${JSON.stringify({ finding: what, input: path })}\n`);
  rmSync(scratch, { recursive: true, force: true });
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable");
}

setInterval(() => {
  const now = Atomics.load(words, NUMBER);
  if (now !== number) {
    number = now;
    since = performance.now();
  }
  if (now === 0) return;
  const ms = performance.now() - since;
  if (ms > patienceMs) report(`hang of ${Math.round(ms)} ms at one input`);
  const mib = process.memoryUsage.rss() / 2 ** 20;
  if (mib > memory) report(`memory of ${Math.round(mib)} MiB, want at most ${memory}`);
}, LOOK_MS);
parentPort?.postMessage("ready");
