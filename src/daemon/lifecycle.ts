import type { HeldFiles } from "../blob/held-files.ts";
import { messageOf } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import type { TrackedMountpoint } from "../mounts/tracked-mountpoint.ts";
import type { Ended } from "../session/ended.ts";
import type { Session } from "../session/transport.ts";

/** A session that answers requests, as its observers are told of it. */
export interface Served {
  readonly session: Session;
  /** Canonical path of the mountpoint, and where that is later. */
  readonly mountpoint: string;
  readonly place: TrackedMountpoint;
  /** The files of its images. */
  readonly held: HeldFiles;
  /** Another process served it before. */
  readonly isResumed: boolean;
}

/** Something that accompanies a session: it is told what becomes of it, and never stands between it and its caller. */
export interface SessionObserver {
  /** Requests are answered. @throws OperationalError: the session is then ended */
  ready?(served: Served): Promise<void> | void;
  /** The session is about to be unmounted, and is still served until this is done. Called once. */
  stopping?(): Promise<void> | void;
  /** Nothing is served any more, which no observer has been told yet. @returns how the session ended, as it knows */
  amendEnd?(how: Ended): Promise<Ended>;
  /** Nothing is served any more. */
  ended?(how: Ended): Promise<void> | void;
}

/** What ends a session: as Session.stop. */
export type Stoppable = Pick<Session, "stop">;

/** Tells observers what becomes of a session, one after the other, in their order. */
export class Lifecycle implements Stoppable {
  /** Resolves when every observer has been told of the end. */
  readonly ended: Promise<Ended>;
  private readonly served: Served;
  private readonly observers: readonly SessionObserver[];
  private readonly log: Logger;
  /** Those that were told that it is ready: only they are told of more. */
  private readonly told: SessionObserver[] = [];
  private onTold: () => void = () => {};
  private isStopping = false;

  constructor(served: Served, observers: readonly SessionObserver[], log: Logger) {
    this.served = served;
    this.observers = observers;
    this.log = log;
    const areTold = new Promise<void>((resolve) => {
      this.onTold = resolve;
    });
    this.ended = served.session.ended.then(async (how) => {
      await areTold;
      return this.tellEnded(how);
    });
  }

  /** @throws what an observer threw: the session has ended then */
  async ready(): Promise<void> {
    try {
      for (const observer of this.observers) {
        this.told.push(observer);
        await observer.ready?.(this.served);
      }
    } catch (error) {
      this.onTold();
      await this.stop();
      await this.ended;
      throw error;
    }
    this.onTold();
  }

  /** As Session.stop, which it comes down to: called again, it stops at once. */
  async stop(): Promise<void> {
    const isFirst = !this.isStopping;
    this.isStopping = true;
    // All at once: one that takes its time must not keep the others from knowing.
    if (isFirst) await Promise.all(this.told.map(async (observer) => observer.stopping?.()));
    await this.served.session.stop();
  }

  private async tellEnded(end: Ended): Promise<Ended> {
    let how = end;
    for (const observer of this.told) how = (await observer.amendEnd?.(how)) ?? how;
    for (const observer of this.told) {
      try {
        await observer.ended?.(how);
      } catch (error) {
        this.log.error(messageOf(error)); // the others must hear of it all the same
      }
    }
    return how;
  }
}
