import { COMMAND, OPTION } from "../../src/nbd/protocol.ts";
import { contextOf, counted, infoOf, u16, u32, u64 } from "../nbd/client.ts";
import { concat, INTERESTING, mutateBytes, otherNumber } from "./mutate.ts";
import type { Random } from "./random.ts";

/** What a client says in one piece. */
type Message = Uint8Array;

const optionOf = (option: number, data: Uint8Array = new Uint8Array(0)): Message =>
  concat(Buffer.from("IHAVEOPT"), u32(option), u32(data.length), data);

const requestOf = (type: number, cookie: number, offset: number, length: number, flags = 0): Message =>
  concat(
    u32(0x25609513),
    u16(flags),
    u16(type),
    u64(cookie),
    u64(BigInt.asUintN(64, BigInt(Math.trunc(offset)))),
    u32(length),
  );

const NAMES = ["", "disk", "none", "x".repeat(5000), "\0", "é"];
const QUERIES = ["base:allocation", "base:", "", "other:x"];
const OPTIONS = Object.values(OPTION);
const COMMANDS = Object.values(COMMAND);

/** Begins as most clients do. @param how flags, and what is agreed on */
const HELLOS: readonly Message[] = [
  concat(
    u32(3),
    optionOf(OPTION.STRUCTURED_REPLY),
    optionOf(OPTION.SET_META_CONTEXT, contextOf("", "base:allocation")),
    optionOf(OPTION.GO, infoOf("")),
  ),
  concat(
    u32(3),
    optionOf(OPTION.LIST),
    optionOf(OPTION.INFO, infoOf("disk")),
    optionOf(OPTION.GO, infoOf("disk")),
  ),
  concat(u32(1), optionOf(OPTION.EXPORT_NAME, Buffer.from("disk"))),
  concat(u32(3), optionOf(OPTION.STRUCTURED_REPLY), optionOf(OPTION.EXPORT_NAME)),
];

/** @param size bytes of the disk */
export const seedsOf = (size: number): Message[] =>
  HELLOS.map((hello) =>
    concat(
      hello,
      ...COMMANDS.filter((type) => type !== COMMAND.DISCONNECT && type !== COMMAND.WRITE).map((type, i) =>
        requestOf(type, i, i * 512, Math.min(size, 70_000 * i)),
      ),
      concat(requestOf(COMMAND.WRITE, 90, 0, 20), new Uint8Array(20)),
      requestOf(COMMAND.READ, 91, size - 512, 512),
      requestOf(COMMAND.DISCONNECT, 92, 0, 0),
    ),
  );

/** A grammar of its own beside bytes that are turned: most of what a server does is behind the right words in the right order. */
export const mutateNbd =
  (size: number) =>
  (input: Uint8Array, other: Uint8Array, random: Random): Uint8Array => {
    if (random.once(4)) return mutateBytes(input, other, random, ["IHAVEOPT", "base:allocation", "disk"]);
    const options = Array.from({ length: random.below(4) }, () => anyOption(random));
    const hello = random.pick(HELLOS);
    const requests = Array.from({ length: random.below(12) }, (_, i) => anyRequest(size, i, random));
    const all = concat(hello.subarray(0, 4), ...options, hello.subarray(4), ...requests);
    if (random.once(3)) return concat(all, requestOf(COMMAND.DISCONNECT, 99, 0, 0));
    return random.once(6) ? all.subarray(0, random.below(all.length + 1)) : all;
  };

function anyOption(random: Random): Message {
  const name = random.pick(NAMES);
  const queries = Array.from({ length: random.below(3) }, () => random.pick(QUERIES));
  const data = random.pick<() => Uint8Array>([
    () => new Uint8Array(0),
    () => infoOf(name),
    () => contextOf(name, ...queries),
    () => counted(name),
    () => concat(u32(random.pick(INTERESTING)), random.bytes(random.below(20))),
    () => random.bytes(random.below(40)),
    () => new Uint8Array(70_000),
  ])();
  const option = random.once(8)
    ? random.below(2 ** 32)
    : random.pick(OPTIONS.filter((each) => each !== OPTION.EXPORT_NAME));
  return optionOf(option, data);
}

function anyRequest(size: number, cookie: number, random: Random): Message {
  const type = random.once(10) ? random.below(65_536) : random.pick(COMMANDS);
  const offset = random.once(3) ? otherNumber(size, random) : random.below(size);
  const length = random.once(4) ? otherNumber(size, random) % 2 ** 26 : random.below(200_000);
  const flags = random.once(3) ? random.below(65_536) : 0;
  const most = type === COMMAND.WRITE ? Math.abs(length) % 5000 : Math.abs(length);
  const head = requestOf(type, cookie, Math.max(0, offset), most, flags);
  return type === COMMAND.WRITE ? concat(head, random.bytes(random.once(9) ? 3 : most)) : head;
}
