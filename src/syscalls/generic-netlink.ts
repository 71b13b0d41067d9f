import { closeSync, readSync, writeSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { SystemCallError, systemCall } from "./system-call.ts";

/** Generic netlink: messages to a part of the kernel that has a name. Source: include/uapi/linux/netlink.h, genetlink.h. */
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_GENERIC = 16;
const REQUEST_AND_ACK = 1 | 4;
const NLMSG_ERROR = 2;

/** The family that knows the others, what it is asked, and what it answers. */
const CONTROL = { ID: 16, GET_FAMILY: 3, FAMILY_ID: 1, FAMILY_NAME: 2 } as const;
const VERSION = 1;

/** `struct nlmsghdr`: length u32, type u16, flags u16, sequence u32, port u32; then command u8, version u8, 2 bytes. */
const HEADER = 16;
const GENERIC_HEADER = 4;
/** `struct nlattr`: length u16 without padding, type u16; all begins with words. */
const ATTRIBUTE_HEADER = 4;
const NESTED = 0x8000;
const LONGEST = 16 << 10;

/** What messages are made of. */
export type Attribute = readonly [type: number, value: number | bigint | string | readonly Attribute[]];

/** Conversation with one family of the kernel; its answers come before a request returns. */
export class GenericNetlink {
  private readonly fd: number;
  private readonly family: number;
  private sequence = 0;

  /** @throws SystemCallError; ENOENT where the kernel has no such family */
  constructor(name: string) {
    this.fd = systemCall("socket", "NETLINK_GENERIC", AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_GENERIC);
    try {
      const answer = this.ask(CONTROL.ID, CONTROL.GET_FAMILY, [[CONTROL.FAMILY_NAME, name]], name);
      this.family = numberIn(answer, CONTROL.FAMILY_ID);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** @param about named in the error. @throws SystemCallError */
  request(command: number, attributes: readonly Attribute[], about: string): void {
    this.ask(this.family, command, attributes, about);
  }

  close(): void {
    closeSync(this.fd);
  }

  /** @returns attributes of the last answer but the acknowledgement */
  private ask(type: number, command: number, attributes: readonly Attribute[], about: string): Buffer {
    const body = encode(attributes);
    const message = Buffer.alloc(HEADER + GENERIC_HEADER);
    message.writeUInt32LE(message.length + body.length, 0);
    message.writeUInt16LE(type, 4);
    message.writeUInt16LE(REQUEST_AND_ACK, 6);
    message.writeUInt32LE(++this.sequence, 8);
    message.writeUInt8(command, HEADER);
    message.writeUInt8(VERSION, HEADER + 1);
    writeSync(this.fd, Buffer.concat([message, body]));
    let answer = Buffer.alloc(0);
    for (;;) {
      const bytes = Buffer.alloc(LONGEST);
      const all = bytes.subarray(0, readSync(this.fd, bytes));
      for (let at = 0; at < all.length; at += padded(Math.max(HEADER, all.readUInt32LE(at)))) {
        const one = all.subarray(at, at + all.readUInt32LE(at));
        if (one.readUInt16LE(4) !== NLMSG_ERROR) answer = one.subarray(HEADER + GENERIC_HEADER);
        else if (one.readInt32LE(HEADER) === 0) return answer;
        else throw new SystemCallError(getSystemErrorName(one.readInt32LE(HEADER)), about);
      }
    }
  }
}

const padded = (length: number): number => (length + 3) & ~3;

function encode(attributes: readonly Attribute[]): Buffer {
  return Buffer.concat(
    attributes.map(([type, value]) => {
      const data = bytesOf(value);
      const bytes = Buffer.alloc(padded(ATTRIBUTE_HEADER + data.length));
      bytes.writeUInt16LE(ATTRIBUTE_HEADER + data.length, 0);
      bytes.writeUInt16LE(typeof value === "object" ? type | NESTED : type, 2);
      data.copy(bytes, ATTRIBUTE_HEADER);
      return bytes;
    }),
  );
}

/** A number is 32 bits, a bigint 64. */
function bytesOf(value: Attribute[1]): Buffer {
  if (typeof value === "string") return Buffer.from(`${value}\0`);
  if (typeof value === "object") return encode(value);
  const bytes = Buffer.alloc(typeof value === "number" ? 4 : 8);
  if (typeof value === "number") bytes.writeUInt32LE(value);
  else bytes.writeBigUInt64LE(value);
  return bytes;
}

/** An attribute of 16 bits. */
function numberIn(attributes: Buffer, wanted: number): number {
  for (
    let at = 0;
    at < attributes.length;
    at += padded(Math.max(ATTRIBUTE_HEADER, attributes.readUInt16LE(at)))
  )
    if (attributes.readUInt16LE(at + 2) === wanted) return attributes.readUInt16LE(at + ATTRIBUTE_HEADER);
  throw new SystemCallError("ENOENT", `attribute ${wanted}`);
}
