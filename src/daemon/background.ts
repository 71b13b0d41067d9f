import { type ChildProcess, spawn } from "node:child_process";
import { OperationalError, UsageError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { isAwaited, mountAt } from "../mounts/table.ts";
import { IN_BACKGROUND, type Order, type Told } from "./caller.ts";
import type { ReadyFacts } from "./facts.ts";
import { keeperCommand } from "./keeper-command.ts";
import { findLogPlace, type LogPlace } from "./log-place.ts";
import { stoppedBy } from "./held-signals.ts";
import { BACKGROUND_LOG, TO_COLLECTOR } from "./options-from-flags.ts";

/** What is to be served by a process that this one does not wait for. */
export interface BackgroundOrder {
  readonly mountpoint: string;
  readonly logFile: string | undefined;
  /** Whether a keeper is to start it. */
  readonly isKept: boolean;
  /** Asked for when the daemon has nothing to go on with. */
  readonly order: () => Promise<Order>;
  /** Where what it says is said until it is ready, unless it has a log file of its own. */
  readonly log: Logger;
}

/** A mount that is there; `log` and `pid` when a process serves it: in this order in the ready line, whose end scripts read. */
export interface InBackground {
  readonly facts: ReadyFacts;
  readonly log?: string;
  readonly pid?: number;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const OWN_VARIABLE = /^(NYDUSD_TS_|NODE_CHANNEL_)/;

/**
 * Starts this same command line again, in a session of its own, and waits until it serves. That process gets everything that
 * this one has read, and keeps none of its descriptors: they, the terminal and the errors are this process's.
 *
 * @throws UsageError, OperationalError: what it says, or that it ended without a word; nothing is mounted then
 */
export async function serveInBackground(what: BackgroundOrder): Promise<InBackground> {
  const place = await findLogPlace(what.mountpoint, what.logFile);
  const child = launch(what, place);
  let stopped: NodeJS.Signals | undefined;
  const stop = (signal: NodeJS.Signals) => {
    stopped ??= signal;
    child.kill(signal === "SIGHUP" ? "SIGTERM" : signal);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    const { facts, isServed } = await answerOf(child, what, place).catch((error: unknown) => {
      throw stopped === undefined ? error : stoppedBy(stopped);
    });
    // It was ready, and has heard of the signal: it unmounts.
    if (stopped !== undefined && isServed) throw stoppedBy(stopped);
    return isServed ? { facts, log: place.name, pid: child.pid ?? 0 } : { facts };
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    place.close();
    if (child.connected) child.disconnect();
    child.unref();
  }
}

function launch({ isKept, mountpoint }: BackgroundOrder, place: LogPlace): ChildProcess {
  const { stderr, isCollector, name } = place;
  const own = process.argv.slice(1);
  const [program, ...words] = isKept ? keeperCommand(own) : [process.execPath, ...process.execArgv, ...own];
  const inherited = Object.entries(process.env).filter(([key]) => !OWN_VARIABLE.test(key));
  return spawn(program, words, {
    // The group of an automounter, which has no terminal, is not left.
    detached: !isAwaited(mountAt(mountpoint)),
    stdio: ["ignore", "ignore", stderr, "ipc"],
    serialization: "advanced", // a Map stays one
    env: {
      ...Object.fromEntries(inherited),
      [IN_BACKGROUND]: "1",
      [BACKGROUND_LOG]: isCollector ? TO_COLLECTOR : name,
    },
  });
}

function answerOf(
  child: ChildProcess,
  { order, log }: BackgroundOrder,
  place: LogPlace,
): Promise<Extract<Told, { facts: unknown }>> {
  return new Promise((resolve, reject) => {
    child.on("message", (told: Told) => {
      if ("facts" in told) resolve(told);
      else if ("problem" in told)
        reject(new (told.status === 2 ? UsageError : OperationalError)(told.problem));
      else if ("level" in told) log[told.level](told.message, told.fields);
      else order().then((given) => child.connected && child.send(given), reject);
    });
    // Not "exit": its last words may still be on their way then.
    child.once("close", (code, signal) =>
      reject(
        new OperationalError(
          `the daemon ended with ${signal ?? `status ${code}`} before it was ready; its log: ${place.name}`,
        ),
      ),
    );
    child.once("error", reject);
  });
}
