import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readSync, type Stats, statSync, write } from "node:fs";
import { open } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { putU64, u64 } from "../../src/bytes/u64.ts";
import {
  ATTR,
  ATTR_OUT,
  ATTR_SIZE,
  ENTRY,
  ENTRY_SIZE,
  IN,
  IN_HEADER,
  INIT_IN,
  INIT_OUT,
  OUT,
  OUT_HEADER,
  READ_IN,
} from "../../src/fuse/wire.ts";
import { OP } from "../../src/vfs/opcodes.ts";
import type { Order } from "./fault-fs.ts";

/**
 * Shows the files of a directory at a mountpoint, and does with their READs what it is told: see fault-fs.ts.
 * `node fault-fs-server.js DIRECTORY MOUNTPOINT`; an order a line on stdin, and its answer on stdout.
 */
const [directory, mountpoint] = process.argv.slice(2);
const { ENOENT, ENOSYS, EINTR } = constants.errno;
const ROOT = 1;
/** ASYNC_READ, NO_OPEN_SUPPORT, MAX_PAGES, NO_OPENDIR_SUPPORT: a file is opened once, and its pages are cached. */
const FLAGS = 1 | (1 << 17) | (1 << 22) | (1 << 24);

/** The READ's unique, and how it is answered in the end. */
const held = new Map<bigint, { readonly file: string; readonly go: () => void }>();
const orders = new Map<string, Order>();
const files: { readonly name: string; readonly fd: number }[] = [];

const device = await open("/dev/fuse", "r+");
const mount = spawn(
  "mount",
  ["-i", "-t", "fuse.fault-fs", "-o", "ro,fd=3,rootmode=40000,user_id=0,group_id=0", "fault-fs", mountpoint],
  { stdio: ["ignore", "inherit", "inherit", device.fd] },
);
const [status] = await once(mount, "exit");
if (status !== 0) process.exit(1);
process.stdout.write("ready\n");

function reply(unique: bigint, error: number, payload: Buffer = Buffer.alloc(0)): void {
  const head = Buffer.alloc(OUT_HEADER);
  head.writeUInt32LE(OUT_HEADER + payload.length, OUT.LEN);
  head.writeInt32LE(-error, OUT.ERROR);
  head.writeBigUInt64LE(unique, OUT.UNIQUE);
  write(device.fd, Buffer.concat([head, payload]), () => {}); // ENOENT: nobody waits any more
}

function attributes(stats: Stats, node: number): Buffer {
  const attr = Buffer.alloc(ATTR_SIZE);
  const v = new DataView(attr.buffer, attr.byteOffset);
  putU64(v, ATTR.INO, node);
  putU64(v, ATTR.SIZE, stats.size);
  putU64(v, ATTR.MTIME, Math.floor(stats.mtimeMs / 1000));
  v.setUint32(ATTR.MODE, stats.mode, true);
  v.setUint32(ATTR.NLINK, 1, true);
  return attr;
}

function lookup(unique: bigint, name: string): void {
  let node = files.findIndex((file) => file.name === name) + ROOT + 1;
  try {
    if (node === ROOT) node = ROOT + files.push({ name, fd: openSync(join(directory, name), "r") });
  } catch {
    reply(unique, ENOENT);
    return;
  }
  const entry = Buffer.alloc(ENTRY_SIZE);
  entry.writeBigUInt64LE(BigInt(node), ENTRY.NODEID);
  entry.writeBigUInt64LE(3600n, ENTRY.ENTRY_VALID);
  entry.writeBigUInt64LE(3600n, ENTRY.ATTR_VALID);
  attributes(statSync(join(directory, name)), node).copy(entry, ENTRY.ATTR);
  reply(unique, 0, entry);
}

function read(unique: bigint, node: number, offset: number, size: number): void {
  const { name, fd } = files[node - ROOT - 1];
  const order = orders.get(name);
  const pass = () => {
    const bytes = Buffer.alloc(size);
    reply(unique, 0, bytes.subarray(0, readSync(fd, bytes, 0, size, offset)));
  };
  const { from = 0, to = Number.POSITIVE_INFINITY } = order ?? {};
  if (order === undefined || offset >= to || offset + size <= from) pass();
  else if (order.fault === "error") reply(unique, constants.errno[order.errno]);
  else {
    const go = () => {
      if (held.delete(unique)) pass();
    };
    held.set(unique, { file: name, go });
    if (order.fault === "delay") setTimeout(go, order.ms);
  }
}

function answer(request: Buffer): void {
  const v = new DataView(request.buffer, request.byteOffset, request.byteLength);
  const unique = request.readBigUInt64LE(IN.UNIQUE);
  const node = u64(v, IN.NODEID);
  switch (v.getUint32(IN.OPCODE, true)) {
    case OP.INIT: {
      const out = Buffer.alloc(64);
      out.writeUInt32LE(7, INIT_OUT.MAJOR);
      out.writeUInt32LE(31, INIT_OUT.MINOR);
      out.writeUInt32LE(v.getUint32(INIT_IN.MAX_READAHEAD, true), INIT_OUT.MAX_READAHEAD);
      out.writeUInt32LE((v.getUint32(INIT_IN.FLAGS, true) & FLAGS) >>> 0, INIT_OUT.FLAGS);
      // Its own faults are what holds a READ up, never how many there are.
      out.writeUInt16LE(4096, INIT_OUT.MAX_BACKGROUND);
      out.writeUInt16LE(4096, INIT_OUT.CONGESTION);
      out.writeUInt32LE(4096, INIT_OUT.MAX_WRITE);
      out.writeUInt32LE(1, INIT_OUT.TIME_GRAN);
      out.writeUInt16LE(256, INIT_OUT.MAX_PAGES);
      reply(unique, 0, out);
      break;
    }
    case OP.LOOKUP:
      lookup(unique, request.toString("latin1", IN_HEADER, request.length - 1));
      break;
    case OP.GETATTR: {
      const out = Buffer.alloc(ATTR_OUT.ATTR + ATTR_SIZE);
      out.writeBigUInt64LE(3600n, ATTR_OUT.VALID);
      const path = node === ROOT ? directory : join(directory, files[node - ROOT - 1].name);
      attributes(statSync(path), node).copy(out, ATTR_OUT.ATTR);
      reply(unique, 0, out);
      break;
    }
    case OP.READ:
      read(unique, node, u64(v, READ_IN.OFFSET), v.getUint32(READ_IN.SIZE, true));
      break;
    case OP.INTERRUPT:
      if (held.delete(request.readBigUInt64LE(IN_HEADER))) reply(request.readBigUInt64LE(IN_HEADER), EINTR);
      break;
    case OP.FORGET:
    case OP.BATCH_FORGET:
      break;
    default:
      reply(unique, ENOSYS);
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line) as Order | { readonly fault: "held" };
  if (order.fault !== "held") {
    if (order.fault === "pass") orders.delete(order.file);
    else orders.set(order.file, order);
    if (order.fault !== "block") for (const { file, go } of [...held.values()]) if (file === order.file) go();
  }
  process.stdout.write(`${held.size}\n`);
});

const buffer = Buffer.alloc(64 * 1024);
for (;;) {
  try {
    const { bytesRead } = await device.read(buffer, 0, buffer.length, null);
    answer(Buffer.from(buffer.subarray(0, bytesRead)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EINTR" && code !== "EAGAIN") break; // unmounted
  }
}
for (const { fd } of files) closeSync(fd);
process.exit(0);
