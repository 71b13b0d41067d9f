import { OperationalError } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { detach, unmount } from "../mounts/umount.ts";
import { failAll } from "../session/fail-all.ts";
import { doneWith, type Keeper, tellServing } from "../handover/keeper.ts";
import { killSelf } from "../proc/process-guard.ts";
import type { StateFile } from "../handover/state-file.ts";

/**
 * What is left to do when every process that served a session has died, one after the other: either to answer EIO until
 * it is unmounted, ended by a signal, or has it tried again by SIGHUP; or to take the mount away.
 *
 * @param reason why no other process is started
 * @returns exit status
 */
export async function runDegraded(
  keeper: Keeper,
  file: StateFile,
  log: Logger,
  reason = `${keeper.crashes} processes died, the last one with status ${keeper.last}`,
): Promise<number> {
  const state = file.read();
  // A signal that comes while Node exits kills it, though it had unmounted and removed its state before.
  if (state === undefined && keeper.role === "clear") return doneWith(0);
  if (state === undefined)
    throw new OperationalError(`${file.path}: there is no such state file, so what to unmount is unknown`);
  const { mountpoint, device } = state;
  if (keeper.role === "clear") {
    log.error(`${mountpoint}: the process that should have unmounted it died: detaching it`);
    await detach(mountpoint).catch(() => {});
    file.remove();
    return doneWith(1);
  }
  log.error(
    `${mountpoint}: ${reason}: everything answers EIO from now on; SIGHUP to ${keeper.pid} tries again`,
  );
  const failing = failAll(keeper.device);
  const isOver = await new Promise<boolean>((resolve) => {
    const over = () => resolve(true);
    failing.then(over, over);
    process.on("SIGHUP", () => resolve(false));
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.on(signal, () => unmount({ path: mountpoint }, device || undefined).catch(() => {}));
  });
  if (isOver) {
    file.remove();
    return doneWith(1);
  }
  tellServing(keeper); // a fresh start: what died before does not count any more
  killSelf(); // exiting would wait for the thread
  return doneWith(1);
}
