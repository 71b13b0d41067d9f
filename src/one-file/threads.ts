import * as builtin from "node:worker_threads";
import { textOf, THREAD } from "./parts.ts";

/** A thread begins as the executable does, with the name of its code as a word: `main.ts`. */
class Worker extends builtin.Worker {
  constructor(code: string | URL, options: builtin.WorkerOptions = {}) {
    const { protocol, pathname } = new URL(code);
    if (protocol !== THREAD) throw new Error(`${code} is no thread of this executable`);
    super(textOf("main.js"), { ...options, eval: true, argv: [pathname] });
  }
}

/** `node:worker_threads` for the programs. */
export const threads = { ...builtin, Worker };
