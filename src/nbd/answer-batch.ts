import type { Conversation } from "./conversation.ts";

/** Memory of small answers. */
const ROOM = 64 << 10;

/**
 * Small answers of one client, put side by side as they are made, and said together when nothing more can be made at once: each
 * call of the kernel costs more than an answer.
 */
export class AnswerBatch {
  private readonly talk: Conversation;
  private memory: Buffer | undefined;
  /** What was not said yet. */
  private from = 0;
  private end = 0;

  constructor(talk: Conversation) {
    this.talk = talk;
  }

  /** Memory for an answer, which counts once it is added; undefined: what there is has to be said first. */
  room(length: number): Buffer | undefined {
    if (this.from === this.end && this.talk.isAllTaken) {
      this.from = 0;
      this.end = 0;
    }
    if (this.end + length > ROOM && this.from < this.end) return undefined;
    if (this.memory === undefined || this.end + length > ROOM) {
      this.memory = Buffer.allocUnsafeSlow(ROOM);
      this.from = 0;
      this.end = 0;
    }
    return this.memory.subarray(this.end, this.end + length);
  }

  /** The answer is in the memory that there was for it. */
  add(length: number): void {
    this.end += length;
  }

  /** @returns nothing when the next answer may be made at once */
  say(): Promise<void> | undefined {
    if (this.memory === undefined || this.from === this.end) return undefined;
    const said = this.memory.subarray(this.from, this.end);
    this.from = this.end;
    return this.talk.say(said);
  }
}
