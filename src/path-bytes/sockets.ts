import { closeSync, constants, openSync, renameSync, rmSync } from "node:fs";
import net from "node:net";
import { basename, dirname } from "node:path";
import { holdsBytes } from "../bytes/any-bytes.ts";
import { O_PATH } from "../bytes/o-path.ts";

/** Sockets can be at paths that hold any bytes: both sides name them by descriptors, which are numbers. */
export function openSocketsToBytes(): void {
  const { listen } = net.Server.prototype;
  net.Server.prototype.listen = function (this: net.Server, ...args: unknown[]) {
    const [path] = args;
    if (typeof path !== "string" || !holdsBytes(path))
      return listen.apply(this, args as unknown as [undefined]);
    const dir = openSync(dirname(path), O_PATH | constants.O_DIRECTORY);
    const name = basename(path);
    const below = (each: string) => `/proc/self/fd/${dir}/${each}`;
    const plain = holdsBytes(name) ? `.nydusd-ts-${process.pid}.sock` : name;
    this.once("close", () => {
      if (plain !== name) rmSync(below(name), { force: true });
      closeSync(dir);
    });
    if (plain !== name) this.prependOnceListener("listening", () => renameSync(below(plain), below(name)));
    return listen.apply(this, [below(plain), ...args.slice(1)] as unknown as [undefined]);
  } as typeof listen;
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function (this: net.Socket, ...args: unknown[]) {
    // What net.connect gives on: an array with the options, and whom to tell.
    const first = Array.isArray(args[0]) ? args[0][0] : args[0];
    const path = typeof first === "string" ? first : first?.path;
    if (typeof path !== "string" || !holdsBytes(path)) return connect.apply(this, args as never);
    const fd = openSync(path, O_PATH);
    this.once("connect", () => closeSync(fd)).once("error", () => closeSync(fd));
    const plain = `/proc/self/fd/${fd}`;
    if (typeof first === "object") first.path = plain;
    else args[0] = plain;
    return connect.apply(this, args as never);
  } as typeof connect;
}
