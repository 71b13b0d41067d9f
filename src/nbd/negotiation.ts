import type { Conversation } from "./conversation.ts";
import { Ended } from "./conversation.ts";
import type { Export } from "./export.ts";
import {
  exportFlags,
  FIXED_NEWSTYLE,
  INFO,
  MAX_READ,
  MIN_BLOCK,
  NBD_MAGIC,
  NO_ZEROES,
  OPTION,
  OPTION_MAGIC,
  OPTION_SIZE,
  optionReply,
  PREFERRED_BLOCK,
  REPLY,
} from "./protocol.ts";

/** Data of an option that is looked at; the longest name is 4,096 bytes. */
const MAX_OPTION = 16 << 10;
/** A client that has asked for as much will not come to an end. */
const MAX_OPTIONS = 1000;
/** Zeros that an old client waits for. */
const ZEROES = 124;

const ALLOCATION = "base:allocation";
/** How replies to BLOCK_STATUS call that context. */
export const ALLOCATION_ID = 1;

/** What a client and this server agreed on. */
export interface Agreement {
  readonly served: Export;
  readonly isStructured: boolean;
  /** It asked for `base:allocation` of this export. */
  readonly hasAllocation: boolean;
}

/** The fixed newstyle handshake of one client. */
export class Negotiation {
  private readonly talk: Conversation;
  private readonly exports: ReadonlyMap<string, Export>;
  private isStructured = false;
  /** The export that `base:allocation` was asked for. */
  private allocated: string | undefined;
  private wantsZeroes = true;

  /** @param exports by name; the first is the one without a name, too */
  constructor(talk: Conversation, exports: ReadonlyMap<string, Export>) {
    this.talk = talk;
    this.exports = exports;
  }

  /** @returns undefined when the client wanted no export. @throws Ended */
  async agree(): Promise<Agreement | undefined> {
    const hello = Buffer.alloc(18);
    hello.writeBigUInt64BE(NBD_MAGIC, 0);
    hello.writeBigUInt64BE(OPTION_MAGIC, 8);
    hello.writeUInt16BE(FIXED_NEWSTYLE | NO_ZEROES, 16);
    await this.talk.say(hello);
    const flags = (await this.talk.take(4)).readUInt32BE(0);
    if ((flags & ~(FIXED_NEWSTYLE | NO_ZEROES)) !== 0) throw new Ended("unknown flags of the client");
    this.wantsZeroes = (flags & NO_ZEROES) === 0;
    for (let n = 0; n < MAX_OPTIONS; n++) {
      const head = await this.talk.take(OPTION_SIZE);
      if (head.readBigUInt64BE(0) !== OPTION_MAGIC) throw new Ended("no option");
      const option = head.readUInt32BE(8);
      const length = head.readUInt32BE(12);
      if (length > MAX_OPTION) {
        await this.talk.skip(length);
        if (option === OPTION.EXPORT_NAME) throw new Ended("a name that is too long");
        await this.talk.say(optionReply(option, REPLY.TOO_BIG));
        continue;
      }
      const found = await this.answer(option, await this.talk.take(length));
      if (found !== "go on") return found;
    }
    throw new Ended("too many options");
  }

  private async answer(option: number, data: Buffer): Promise<Agreement | undefined | "go on"> {
    switch (option) {
      case OPTION.EXPORT_NAME:
        return this.exportName(data.toString());
      case OPTION.ABORT:
        await this.talk.say(optionReply(option, REPLY.ACK));
        return undefined;
      case OPTION.LIST:
        return this.list(data);
      case OPTION.INFO:
      case OPTION.GO:
        return this.info(option, data);
      case OPTION.STRUCTURED_REPLY:
        if (data.length === 0) this.isStructured = true;
        return this.reply(option, data.length === 0 ? REPLY.ACK : REPLY.INVALID);
      case OPTION.LIST_META_CONTEXT:
      case OPTION.SET_META_CONTEXT:
        return this.metaContext(option, data);
      case OPTION.STARTTLS:
        return this.reply(option, REPLY.POLICY, "there is no TLS here");
      default:
        return this.reply(option, REPLY.UNSUPPORTED);
    }
  }

  private async reply(option: number, type: number, text = ""): Promise<"go on"> {
    await this.talk.say(optionReply(option, type, Buffer.from(text)));
    return "go on";
  }

  /** The option of old clients: its only way to refuse is to hang up. */
  private async exportName(name: string): Promise<Agreement> {
    const served = this.find(name);
    if (served === undefined) throw new Ended(`no export of that name`);
    const answer = Buffer.alloc(10 + (this.wantsZeroes ? ZEROES : 0));
    answer.writeBigUInt64BE(BigInt(served.size), 0);
    answer.writeUInt16BE(exportFlags(this.isStructured), 8);
    await this.talk.say(answer);
    return this.agreed(served, name);
  }

  private async list(data: Buffer): Promise<"go on"> {
    if (data.length > 0) return this.reply(OPTION.LIST, REPLY.INVALID);
    for (const name of this.exports.keys()) {
      const bytes = Buffer.from(name);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      await this.talk.say(optionReply(OPTION.LIST, REPLY.SERVER, Buffer.concat([length, bytes])));
    }
    return this.reply(OPTION.LIST, REPLY.ACK);
  }

  private async info(option: number, data: Buffer): Promise<Agreement | "go on"> {
    const name = nameIn(data);
    const count = name === undefined || data.length < name.end + 2 ? -1 : data.readUInt16BE(name.end);
    if (name === undefined || data.length !== name.end + 2 + 2 * count)
      return this.reply(option, REPLY.INVALID);
    const served = this.find(name.text);
    if (served === undefined) return this.reply(option, REPLY.UNKNOWN, `no export "${name.text}"`);
    const size = Buffer.alloc(12);
    size.writeUInt16BE(INFO.EXPORT, 0);
    size.writeBigUInt64BE(BigInt(served.size), 2);
    size.writeUInt16BE(exportFlags(this.isStructured), 10);
    const blocks = Buffer.alloc(14);
    blocks.writeUInt16BE(INFO.BLOCK_SIZE, 0);
    blocks.writeUInt32BE(MIN_BLOCK, 2);
    blocks.writeUInt32BE(PREFERRED_BLOCK, 6);
    blocks.writeUInt32BE(MAX_READ, 10);
    await this.talk.say(optionReply(option, REPLY.INFO, size), optionReply(option, REPLY.INFO, blocks));
    await this.talk.say(optionReply(option, REPLY.ACK));
    return option === OPTION.GO ? this.agreed(served, name.text) : "go on";
  }

  private async metaContext(option: number, data: Buffer): Promise<"go on"> {
    const queries = queriesIn(data);
    if (queries === undefined) return this.reply(option, REPLY.INVALID);
    if (option === OPTION.SET_META_CONTEXT) {
      this.allocated = undefined;
      if (!this.isStructured) return this.reply(option, REPLY.INVALID, "structured replies come first");
    }
    if (this.find(queries.name) === undefined) return this.reply(option, REPLY.UNKNOWN);
    const isList = option === OPTION.LIST_META_CONTEXT;
    const wanted = isList ? ["", ALLOCATION, "base:"] : [ALLOCATION];
    if ((isList && queries.all.length === 0) || queries.all.some((query) => wanted.includes(query))) {
      if (!isList) this.allocated = queries.name;
      const id = Buffer.alloc(4);
      id.writeUInt32BE(isList ? 0 : ALLOCATION_ID);
      await this.talk.say(
        optionReply(option, REPLY.META_CONTEXT, Buffer.concat([id, Buffer.from(ALLOCATION)])),
      );
    }
    return this.reply(option, REPLY.ACK);
  }

  private find(name: string): Export | undefined {
    return name === "" ? this.exports.values().next().value : this.exports.get(name);
  }

  private agreed(served: Export, name: string): Agreement {
    return { served, isStructured: this.isStructured, hasAllocation: this.allocated === name };
  }
}

/** A length of 32 bits, and a name. @returns undefined when it is not all there */
function nameIn(data: Buffer, at = 0): { text: string; end: number } | undefined {
  if (data.length < at + 4) return undefined;
  const end = at + 4 + data.readUInt32BE(at);
  return end > data.length ? undefined : { text: data.toString("utf8", at + 4, end), end };
}

function queriesIn(data: Buffer): { name: string; all: string[] } | undefined {
  const name = nameIn(data);
  if (name === undefined || data.length < name.end + 4) return undefined;
  const all: string[] = [];
  let at = name.end + 4;
  for (let left = data.readUInt32BE(name.end); left > 0; left--) {
    const query = nameIn(data, at);
    if (query === undefined) return undefined;
    all.push(query.text);
    at = query.end;
  }
  return at === data.length ? { name: name.text, all } : undefined;
}
