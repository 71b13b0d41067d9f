import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";

const MODULE = new URL("../../dist/src/counters/mutex.js", import.meta.url).href;
const TIMES = 100_000;

it("lets one thread at a time change what it guards", async () => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const code = `import(${JSON.stringify(MODULE)}).then(({ Mutex }) => {
    const words = require("node:worker_threads").workerData;
    const mutex = new Mutex(words, 0);
    for (let i = 0; i < ${TIMES}; i++) {
      mutex.lock();
      words[1] = words[1] + 1; // no atomic step: a second thread in here would lose some
      mutex.unlock();
    }
  })`;
  const threads = [1, 2, 3].map(() => new Worker(code, { eval: true, workerData: words }));
  await Promise.all(
    threads.map((thread) => new Promise((done, fail) => thread.once("exit", done).once("error", fail))),
  );
  expect([...words]).toEqual([0, 3 * TIMES]);
});
