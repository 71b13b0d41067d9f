import { type Attribute, GenericNetlink } from "./generic-netlink.ts";

/** What the kernel's NBD is told, Linux 4.12. Source: include/uapi/linux/nbd-netlink.h. */
const COMMAND = { CONNECT: 1, DISCONNECT: 2, RECONFIGURE: 3 } as const;
const ATTR = {
  INDEX: 1,
  SIZE: 2,
  BLOCK_SIZE: 3,
  TIMEOUT: 4,
  SERVER_FLAGS: 5,
  SOCKETS: 7,
  DEAD_CONNECTION_TIMEOUT: 8,
  /** Linux 5.14; others pass over it. */
  BACKEND: 10,
} as const;
const SOCKET_ITEM = 1;
const SOCKET_FD = 1;

/** A device of the kernel, and what it is to show. */
export interface NbdDevice {
  /** Of `/dev/nbdN`. */
  readonly index: number;
  readonly size: number;
  readonly blockSize: number;
  /** As in the protocol. */
  readonly flags: number;
  /** Who serves it next has to say the same. */
  readonly backend: string;
  /** After which a request is sent again, by another connection, s. */
  readonly timeout: number;
  /** How long requests wait for somebody to serve them, s. */
  readonly patience: number;
}

/** Orders to the kernel's NBD. */
export class NbdControl {
  private readonly netlink = new GenericNetlink("nbd");

  /**
   * Makes a device of sockets on whose other ends somebody serves; the kernel holds them from now on.
   *
   * @throws SystemCallError; EBUSY when it is one already
   */
  connect(device: NbdDevice, sockets: readonly number[]): void {
    const terms: Attribute[] = [
      [ATTR.SIZE, BigInt(device.size)],
      [ATTR.BLOCK_SIZE, BigInt(device.blockSize)],
      [ATTR.TIMEOUT, BigInt(device.timeout)],
      [ATTR.DEAD_CONNECTION_TIMEOUT, BigInt(device.patience)],
      [ATTR.SERVER_FLAGS, BigInt(device.flags)],
    ];
    this.send(COMMAND.CONNECT, device, [...terms, socketsAttribute(sockets)]);
  }

  /**
   * Gives a device sockets in place of those that are dead; what it has no place for is left alone.
   *
   * @throws SystemCallError; EINVAL when it is no device any more, or another backend's
   */
  reconnect(device: NbdDevice, sockets: readonly number[]): void {
    this.send(COMMAND.RECONFIGURE, device, [socketsAttribute(sockets)]);
  }

  /** Ends a device; whoever has it open gets errors. @throws SystemCallError */
  disconnect(device: NbdDevice): void {
    this.send(COMMAND.DISCONNECT, device, []);
  }

  close(): void {
    this.netlink.close();
  }

  private send(command: number, { index, backend }: NbdDevice, more: readonly Attribute[]): void {
    const named: Attribute[] = [
      [ATTR.INDEX, index],
      [ATTR.BACKEND, backend],
    ];
    this.netlink.request(command, [...named, ...more], `nbd${index}`);
  }
}

const socketsAttribute = (sockets: readonly number[]): Attribute => [
  ATTR.SOCKETS,
  sockets.map((fd): Attribute => [SOCKET_ITEM, [[SOCKET_FD, fd]]]),
];
