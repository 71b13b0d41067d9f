import { readFileSync } from "node:fs";
import type { Server } from "node:net";

/** So many clients at once are no flood: one that mounts image after image is not kept waiting. */
const CALM = 8;
/** What more of them may have of one CPU, and for how long they may have all of it. */
const SHARE = 0.1;
const BURST_MS = 100;
/** How often that is looked at while there are connections. */
const LOOK_MS = 20;
/** Longest pause: signals and workers wait as long. */
const PAUSE_MS = 200;

/** Of the main thread, whose id is the process's: ns on a CPU are first (kernel, sched/stats.c). */
const USED = `/proc/self/task/${process.pid}/schedstat`;

const never = new Int32Array(new SharedArrayBuffer(4));

/**
 * Keeps the main thread from using a CPU for clients that others want: it does nothing for a while when it has
 * worked too much. Meanwhile connections wait in the socket's queue, which is short, so that a flood waits, too.
 *
 * Not for a thread that serves requests of the kernel. Where the kernel does not tell what a thread has used, no client is paced.
 */
export function pace(server: Server): void {
  let connections = 0;
  let timer: NodeJS.Timeout | undefined;
  let credit = BURST_MS;
  let last = now();

  const look = () => {
    const { used, time } = now();
    const spent = connections > CALM ? used - last.used : 0;
    const more = credit + SHARE * (time - last.time) - spent;
    credit = Math.max(-BURST_MS, Math.min(BURST_MS, more));
    last = { used, time };
    if (credit < 0) Atomics.wait(never, 0, 0, Math.min(PAUSE_MS, -credit / SHARE));
    if (connections > 0 || credit < BURST_MS) return;
    clearInterval(timer);
    timer = undefined;
  };

  server.on("connection", (socket) => {
    connections++;
    socket.once("close", () => connections--);
    if (timer !== undefined) return;
    last = now();
    timer = setInterval(look, LOOK_MS).unref();
  });
}

/** ms: on a CPU so far, and passed. */
function now(): { readonly used: number; readonly time: number } {
  let used = 0;
  try {
    used = Number(readFileSync(USED, "utf8").split(" ")[0]) / 1e6;
  } catch {} // not told
  return { used, time: performance.now() };
}
