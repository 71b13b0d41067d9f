import { resolve } from "node:path";
import type { Keeper } from "../handover/keeper.ts";
import type { Log } from "../log/log.ts";
import type { Supervised } from "../seed/supervised.ts";
import { chooseTransport } from "../session/choose.ts";
import { overflowBudget } from "../session/file-budget.ts";
import { WorkerPool } from "../session/worker-pool.ts";
import { Listeners } from "./listeners.ts";
import type { DaemonOptions } from "./options.ts";
import { stateFile } from "./state-location.ts";
import { DaemonControl } from "./daemon-control.ts";
import { OutgoingHandover } from "../handover/outgoing.ts";

/** What every step of a daemon's life has to do with. */
export interface Daemon {
  readonly options: DaemonOptions;
  readonly log: Log;
  /** Outlives this process; undefined: nothing does. */
  readonly keeper: Keeper | undefined;
  /** How it talks to the kernel, and why so. */
  readonly transport: string;
  /** Serves /dev/fuse; undefined: the npm package does. */
  readonly pool: WorkerPool | undefined;
  /** undefined: no supervisor keeps the session. */
  readonly supervised: Supervised | undefined;
  /** What the next process is to find; undefined: none can go on with the session. */
  readonly outgoing: OutgoingHandover | undefined;
  readonly control: DaemonControl;
  readonly listeners: Listeners;
}

/** Opens nothing that would have to be undone, but for a worker: it starts while an image is checked. @throws OperationalError */
export async function openDaemon(
  options: DaemonOptions,
  log: Log,
  keeper: Keeper | undefined,
): Promise<Daemon> {
  const { name, reason } = chooseTransport(options.transport, process.geteuid?.() ?? 0);
  const supervised = await superviseBy(options, log);
  // A process that is not root any more can neither write a state where root keeps it nor talk to a keeper that is.
  const file = options.user === undefined && name === "direct" ? stateFile(options, keeper) : undefined;
  const made = [options.pidFile, options.apiSocket]
    .filter((path) => path !== undefined)
    .map((path) => resolve(path));
  const outgoing =
    file && new OutgoingHandover({ file, keeper, made, onAdopt: () => control.handOver(), log });
  const control = new DaemonControl(outgoing, supervised, () => listeners.close(), log);
  const listeners = new Listeners(options, control, () => outgoing?.save(), log);
  const pool = name === "direct" ? new WorkerPool(options.threads, overflowBudget()) : undefined;
  const transport = `transport ${name}: ${reason}`;
  return { options, log, keeper, transport, pool, supervised, outgoing, control, listeners };
}

/** The session is over, or there was none. */
export async function closeDaemon({ pool, listeners }: Daemon): Promise<void> {
  await pool?.close();
  await listeners.close();
}

/** Loaded only when it is asked for. */
async function superviseBy(options: DaemonOptions, log: Log): Promise<Supervised | undefined> {
  const { supervisor } = options;
  if (supervisor === undefined) return undefined;
  return new (await import("../seed/supervised.ts")).Supervised({ ...options, supervisor }, log);
}
