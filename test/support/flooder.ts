import { connect } from "node:net";
import { ABUSES } from "./abuses.ts";

/**
 * Keeps so many connections to a socket busy with abuse until it is told to end: `node flooder.js SOCKET CONNECTIONS`.
 * Prints how often it did what, as JSON.
 */
const [path, connections] = process.argv.slice(2);
/** Longest that one connection is held. */
const HOLD_MS = 3_000;
/** When there is no room in the queue; a flooder that only spins floods nobody. */
const AGAIN_MS = 2;

const done: Record<string, number> = {};
const count = (what: string) => {
  done[what] = (done[what] ?? 0) + 1;
};
let isOver = false;

/** One connection, from its beginning to its end. */
function abuse([name, act]: (typeof ABUSES)[number], seed: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const stop = new AbortController();
    const timer = setTimeout(() => socket.destroy(), HOLD_MS);
    socket.once("connect", () => {
      count(name);
      act(socket, seed, stop.signal);
    });
    socket.on("data", () => count("answers"));
    socket.on("error", () => {});
    socket.once("close", () => {
      clearTimeout(timer);
      stop.abort();
      setTimeout(resolve, socket.bytesWritten === 0 ? AGAIN_MS : 0);
    });
  });
}

async function slot(index: number): Promise<void> {
  for (let i = index; !isOver; i++) await abuse(ABUSES[i % ABUSES.length], i);
}

process.once("SIGTERM", () => {
  isOver = true;
  process.stdout.write(`${JSON.stringify(done)}\n`, () => process.exit(0));
});
for (let i = 0; i < Number(connections); i++) void slot(i);
process.stdout.write("flooding\n");
