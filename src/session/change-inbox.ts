import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { CONTROL, epochWord } from "../fuse/control.ts";
import type { Change, Numbered } from "./change.ts";

/** Where a worker takes changes in that the main thread publishes. */
export class ChangeInbox {
  private readonly port: MessagePort;
  private readonly control: Int32Array;
  private readonly index: number;
  private readonly apply: (change: Change) => void;
  private readonly early: Numbered[] = [];

  /** @param index of the worker */
  constructor(port: MessagePort, control: Int32Array, index: number, apply: (change: Change) => void) {
    this.port = port;
    this.control = control;
    this.index = index;
    this.apply = apply;
  }

  /**
   * Takes in every change that was published. A change is there before its number is. One whose number is not there yet
   * waits: what it leads the kernel to, another worker would not know, for it sees no reason to look.
   *
   * @returns number of the last change
   */
  catchUp = (): number => {
    const { port, control, early } = this;
    const number = Atomics.load(control, CONTROL.EPOCH);
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port))
      early.push(next.message as Numbered);
    while (early.length > 0 && early[0].number <= number) this.apply((early.shift() as Numbered).change);
    Atomics.store(control, epochWord(this.index), number);
    return number;
  };
}
