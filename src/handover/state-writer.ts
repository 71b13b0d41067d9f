import { messageOf } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { NotWrittenDown } from "../session/not-written-down.ts";
import type { SessionSnapshot } from "../session/snapshot.ts";
import type { Transferable } from "../session/transport.ts";
import { stateOf } from "./state.ts";
import type { StateFile } from "./state-file.ts";

/** Keeps on disk what the next process must know of a session. */
export class StateWriter {
  private readonly file: Pick<StateFile, "path" | "write" | "writeChecked" | "remove">;
  /** Pid of the process that outlives those that serve. */
  private readonly owner: number;
  private readonly made: readonly string[];
  private readonly log: Logger;
  private transfer: Transferable | undefined;
  /** Number of the last request that the written totals count; undefined: nothing was written since INIT. */
  private written: number | undefined;
  /** Serials of the images whose check is written. */
  private checked = "";
  /** The last write failed, which was said. */
  private isFailing = false;
  private isOver = false;

  /** @param made files that the session removes in the end */
  constructor(file: StateWriter["file"], owner: number, made: readonly string[], log: Logger) {
    this.file = file;
    this.owner = owner;
    this.made = made;
    this.log = log;
  }

  /**
   * Called before workers and kernel learn of a change: the next process must know what the kernel may know.
   *
   * @throws NotWrittenDown: the state on disk is that before it
   */
  changed(snapshot: SessionSnapshot): void {
    if (this.isOver) return;
    this.write(snapshot);
    if (this.transfer !== undefined) setImmediate(() => this.writeChecked());
  }

  /** Requests are answered from now on. */
  follow(transfer: Transferable): void {
    this.transfer = transfer;
    this.written = transfer.lastUnique(); // nothing but INIT: an idle daemon has nothing to sum up
    setImmediate(() => this.writeChecked());
  }

  /** Writes totals that have grown: after a crash they must not be less than a client was told. */
  save(): void {
    if (this.transfer === undefined || this.isOver) return;
    const last = this.transfer.lastUnique();
    if (last === this.written) return;
    this.written = last;
    try {
      this.write(this.transfer.state());
    } catch {} // said already; only totals would begin again
  }

  /** Writes nothing any more: another process does. */
  stop(): void {
    this.isOver = true;
  }

  /** The session is over, and no process is to go on with it. */
  remove(): void {
    this.isOver = true;
    this.file.remove();
  }

  private write(snapshot: SessionSnapshot): void {
    try {
      this.file.write(stateOf(snapshot, this.owner, this.made));
      this.isFailing = false;
    } catch (error) {
      const problem = `${this.file.path}: ${messageOf(error)}`;
      // Readers are served on, and a takeover finds what there was before.
      if (!this.isFailing && this.transfer !== undefined)
        this.log.error(`${problem}: images cannot change until it can be written`);
      this.isFailing = true;
      throw new NotWrittenDown(problem, { advice: "make room there, or choose another with --state-dir" });
    }
  }

  /** What was found out when images were checked. Not before requests are answered: only a takeover needs it. */
  private writeChecked(): void {
    const { transfer } = this;
    if (transfer === undefined || this.isOver) return;
    const serials = new Set(transfer.serials());
    if ([...serials].join() === this.checked) return;
    this.checked = [...serials].join();
    try {
      this.file.writeChecked(serials, (serial) => transfer.checkedOf(serial));
    } catch (error) {
      this.log.warn(`${this.file.path}: ${messageOf(error)}: a takeover will take longer`);
    }
  }
}
