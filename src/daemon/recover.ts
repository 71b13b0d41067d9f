import { resolve } from "node:path";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { fateOf, fuseDeviceOf, isAlive } from "../proc/processes.ts";
import { defaultStateDir } from "../handover/state-dir.ts";
import { allStates, type StateFile } from "../handover/state-file.ts";
import { keeperCommand } from "./keeper-command.ts";
import type { DaemonOptions } from "./options.ts";

const RECOVER = "--recover";

/**
 * Goes on where a keeper was killed: this process becomes the new one. Where the program that served lives still, it has
 * the FUSE device, and hands over to the next one; where it does not, every process inside is lost, and what was mounted is
 * mounted anew. Does not return.
 *
 * @throws OperationalError when there is nothing to be recovered, or the states there may be others'
 */
export async function recover(options: DaemonOptions, log: Logger): Promise<never> {
  const found = find(options);
  const env: NodeJS.ProcessEnv = {};
  const { loadSystemCalls } = await import("../syscalls/system-call.ts");
  const { become, descriptorOf, inherit } = await import("../syscalls/process.ts");
  await loadSystemCalls();
  if (found === undefined) log.warn(`${options.mountpoint}: no session to go on with: mounting it`);
  else {
    const { file, pid, device } = found;
    const base = file.path.replace(/\.state$/, "");
    if (device === undefined) {
      log.error(
        `${options.mountpoint}: no process has its FUSE device any more: mounting it anew; files that are open in it are lost`,
      );
      env["NYDUSD_TS_AFRESH"] = base;
    } else {
      try {
        const own = descriptorOf(pid, device);
        inherit(own);
        env["NYDUSD_TS_DEVICE"] = `${own}`;
      } catch (error) {
        throw new OperationalError(`cannot take the FUSE device of process ${pid}: ${messageOf(error)}`);
      }
      log.info(
        `${options.mountpoint}: process ${pid} serves it without a keeper: this process becomes its keeper`,
      );
      Object.assign(env, { NYDUSD_TS_ROLE: "next", NYDUSD_TS_STATE: base, NYDUSD_TS_ADOPT: "1" });
    }
  }
  // The command that waits in the foreground (--daemonize) is told by the process that serves in the end.
  const channel = (process.channel as { fd?: number } | undefined)?.fd;
  if (channel !== undefined) {
    inherit(channel);
    Object.assign(env, { NODE_CHANNEL_FD: `${channel}`, NODE_CHANNEL_SERIALIZATION_MODE: "advanced" });
  }
  const [shell, ...words] = keeperCommand(process.argv.slice(1).filter((arg) => arg !== RECOVER));
  return become(shell, words, { ...process.env, ...env });
}

/** The session at a mountpoint whose keeper is gone, and the descriptor of its device in the process that serves it. */
function find(
  options: DaemonOptions,
): { file: StateFile; pid: number; device: number | undefined } | undefined {
  const mountpoint = resolve(options.mountpoint);
  const sessions = allStates(options.stateDir ?? defaultStateDir()).filter(
    ({ state }) => state.mountpoint === mountpoint,
  );
  for (const { file, state } of sessions) {
    const { owner, serving } = state;
    if (isAlive(owner))
      throw new OperationalError(
        `${mountpoint}: its keeper, process ${owner.pid}, lives: there is nothing to recover`,
      );
    if (isAlive(serving)) return { file, pid: serving.pid, device: fuseDeviceOf(serving.pid) };
    if ([owner, serving].some((each) => fateOf(each) === "elsewhere") && file.isServed(state))
      throw new OperationalError(`${mountpoint}: it is served from another pid namespace: recover it there`);
  }
  const dead = sessions.at(-1);
  return dead && { file: dead.file, pid: dead.state.serving.pid, device: undefined };
}
