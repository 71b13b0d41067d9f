import { setTimeout as sleep } from "node:timers/promises";
import { HeldFiles } from "../blob/held-files.ts";
import { messageOf, StartError } from "../bytes/errors.ts";
import { FUSE_TYPE } from "../fuse/device.ts";
import type { FailoverPolicy } from "../fuse/lost-requests.ts";
import type { Logger } from "../log/log.ts";
import { mountAt } from "../mounts/table.ts";
import { reopenAndPin } from "../session/reopen-image.ts";
import { unpinImage, type PinnedImage } from "../session/pinned-image.ts";
import type { Heritage } from "../session/transport.ts";
import { isAlive } from "../proc/processes.ts";
import type { CheckedState, SessionState } from "../handover/state.ts";
import type { StateFile } from "../handover/state-file.ts";
import { fileBudget } from "./rlimit.ts";
import type { Setting } from "./setting.ts";
import { buildInfo } from "./version.ts";

/** For the process that serves to listen: it looks once a second whether its keeper is gone. */
const LISTEN_MS = 10_000;
const LOOK_MS = 5;

/** A session that this process goes on with. */
export interface Inherited {
  readonly heritage: Heritage;
  readonly setting: Setting;
  /** The process before this one has died, and did not hand it over. */
  readonly isCrash: boolean;
  /** When that was known, ms of this process. */
  readonly at: number;
  /** How many lookups the kernel had of each image when that was done; undefined: it died before that. */
  readonly balances: Promise<ReadonlyMap<number, number> | undefined>;
}

/** Opens what other processes had open. */
export class Heir {
  private readonly device: number;
  private readonly checkedOf: (serial: number) => CheckedState | undefined;
  private readonly log: Logger;
  private readonly held: HeldFiles;
  private readonly maxOpen: number;
  /** By serial. */
  private readonly images = new Map<number, PinnedImage>();

  /**
   * @param device of the session
   * @param checkedOf what is known of an image already, by serial
   */
  constructor(
    threads: number,
    device: number,
    checkedOf: (serial: number) => CheckedState | undefined,
    log: Logger,
  ) {
    this.checkedOf = checkedOf;
    this.device = device;
    this.log = log;
    const { held, each } = fileBudget(threads);
    this.held = new HeldFiles(held);
    this.maxOpen = each;
  }

  /** Goes on after a process that died. @returns undefined: it had not mounted anything yet */
  after(state: SessionState, lost: FailoverPolicy): Inherited | undefined {
    const device = state.device || deviceAt(state.mountpoint);
    if (device === undefined) return undefined;
    return { ...this.inherit({ ...state, device }, lost), isCrash: true, balances: NEVER, at: 0 };
  }

  /**
   * Waits behind the process that serves until it dies or says so.
   *
   * @returns undefined: there is no such session
   */
  async behind(file: StateFile, lost: FailoverPolicy, isToAdopt: boolean): Promise<Inherited | undefined> {
    const { waitBehind } = await import("../handover/talk.ts"); // only for who waits
    const prepare = (state: SessionState) => this.prepare(state);
    for (const end = performance.now() + LISTEN_MS; ; ) {
      const begun = await waitBehind(file.socket, buildInfo().version, prepare, isToAdopt);
      const at = performance.now();
      if (begun?.state !== undefined)
        return { ...this.inherit(begun.state, undefined), isCrash: false, balances: begun.balances, at };
      const state = file.read();
      if (state === undefined || !isAlive(state.serving)) {
        const inherited = state && this.after(state, lost);
        return inherited && { ...inherited, at };
      }
      // It does not listen yet, or has just turned this one away: two must never serve.
      if (at > end) throw new StartError(`process ${state.serving.pid} serves the mount and does not answer`);
      await sleep(LOOK_MS);
    }
  }

  /** Opens what there is to be opened, and closes what is not needed any more. */
  private prepare(state: SessionState): void {
    const serials = new Set(state.images.map(({ serial }) => serial));
    for (const [serial, pinned] of this.images) {
      if (serials.has(serial)) continue;
      this.images.delete(serial);
      unpinImage(pinned, this.held).catch((error: unknown) => this.log.error(messageOf(error)));
    }
    for (const image of state.images) {
      if (this.images.has(image.serial)) continue;
      try {
        this.images.set(image.serial, reopenAndPin(image, this.checkedOf(image.serial), this.held, this.log));
      } catch (error) {
        this.log.error(`${messageOf(error)}: its files answer ESTALE from now on`);
      }
    }
    if (state.images.length > 0 && this.images.size === 0)
      throw new StartError("none of the images of the session can be opened");
  }

  private inherit(
    state: SessionState,
    lost: FailoverPolicy | undefined,
  ): Pick<Inherited, "heritage" | "setting"> {
    this.prepare(state);
    const { mountpoint } = state;
    return {
      heritage: { device: this.device, state, images: this.images, lost },
      setting: { mountpoint, held: this.held, maxOpen: this.maxOpen, first: undefined },
    };
  }
}

const NEVER: Inherited["balances"] = Promise.resolve(undefined);

/** It died when mounting had just been begun: perhaps it is mounted. */
function deviceAt(mountpoint: string): string | undefined {
  const mount = mountAt(mountpoint);
  return mount?.type === FUSE_TYPE ? mount.device : undefined;
}
