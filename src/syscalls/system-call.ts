import type { default as Koffi, LibraryHandle } from "koffi";
import { bytesOf, holdsBytes } from "../bytes/any-bytes.ts";

/** A number, a path or name, memory to read or fill, or NULL. */
export type Argument = number | string | Uint8Array | null;

/** A system call that failed. `code` is what Node's own errors have there. */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";
  readonly code: string;

  /** @param what the call, and what it was about */
  constructor(code: string, what: string) {
    super(`${what}: ${code}`);
    this.code = code;
  }
}

/**
 * Numbers of the calls used here. Those from 424 on are the same on every architecture; the others are in
 * arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
 */
const X64 = {
  lseek: 8,
  rt_sigaction: 13,
  ioctl: 16,
  socket: 41,
  connect: 42,
  sendmsg: 46,
  recvmsg: 47,
  socketpair: 53,
  setsockopt: 54,
  getsockopt: 55,
  execve: 59,
  fcntl: 72,
  flock: 73,
  fchdir: 81,
  chroot: 161,
  mount: 165,
  lsetxattr: 189,
  lgetxattr: 192,
  llistxattr: 195,
  mknodat: 259,
  ppoll: 271,
  unshare: 272,
  utimensat: 280,
  syncfs: 306,
  setns: 308,
  copy_file_range: 326,
  preadv2: 327,
};
const GENERIC: typeof X64 = {
  lsetxattr: 6,
  lgetxattr: 9,
  llistxattr: 12,
  fcntl: 25,
  ioctl: 29,
  flock: 32,
  mknodat: 33,
  mount: 40,
  fchdir: 50,
  chroot: 51,
  lseek: 62,
  ppoll: 73,
  utimensat: 88,
  unshare: 97,
  rt_sigaction: 134,
  socket: 198,
  socketpair: 199,
  connect: 203,
  setsockopt: 208,
  getsockopt: 209,
  sendmsg: 211,
  recvmsg: 212,
  execve: 221,
  syncfs: 267,
  setns: 268,
  copy_file_range: 285,
  preadv2: 286,
};
const NUMBERS: Readonly<Record<string, typeof X64>> = {
  x64: X64,
  arm64: GENERIC,
  riscv64: GENERIC,
  loong64: GENERIC,
};
const COMMON = {
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfd_open: 434,
  pidfd_getfd: 438,
};

/** Of this machine; none where nobody has looked them up. */
const HERE: Readonly<Partial<typeof X64 & typeof COMMON>> = { ...NUMBERS[process.arch], ...COMMON };

type Call = keyof typeof X64 | keyof typeof COMMON;

type Prototype = (number: number, ...args: Argument[]) => number;

/** By the types of the arguments, a letter each. */
const prototypes = new Map<string, Prototype>();
let koffi: typeof Koffi | undefined;
let program: LibraryHandle | undefined;

/**
 * Loads the package that makes the calls, 15 ms; to be awaited before any of them.
 *
 * @throws Error when the package has no binary for this machine
 */
export async function loadSystemCalls(): Promise<void> {
  koffi ??= (await import("koffi")).default;
  // The program's own symbols: whichever C library Node was linked with, glibc or musl, under whatever name.
  program ??= koffi.load(null);
}

/**
 * Makes a system call by its number: C libraries have functions for the new ones only since glibc 2.36, and
 * musl has none.
 *
 * @param about named in the error
 * @returns what the kernel answers, never negative
 * @throws SystemCallError
 */
export function systemCall(call: Call, about: string, ...args: Argument[]): number {
  if (koffi === undefined || program === undefined) throw new Error("system calls are not loaded");
  const number = HERE[call];
  const what = `${call}(${about})`;
  if (number === undefined) throw new SystemCallError("ENOSYS", what);
  const plain = args.map((arg) => (typeof arg === "string" && holdsBytes(arg) ? terminated(arg) : arg));
  const result = prototype(program, plain.map(kind).join(""))(number, ...plain);
  if (result >= 0) return result;
  throw new SystemCallError(nameOf(koffi.errno(), koffi.os.errno), what);
}

/** `long syscall(long number, …)` is one symbol of many types; every argument is passed as 64 bits. */
function prototype(library: LibraryHandle, kinds: string): Prototype {
  const known = prototypes.get(kinds);
  if (known !== undefined) return known;
  const types = [...kinds].map((k) => ({ n: "long", s: "const char *", p: "void *" })[k] ?? "long");
  const made = library.func("syscall", "long", ["long", ...types]) as Prototype;
  prototypes.set(kinds, made);
  return made;
}

/**
 * A function of C of what the program was linked with, by the types of its arguments; it returns an `int`.
 *
 * @returns undefined when there is none of that name, or nothing is loaded yet
 */
export function libraryFunction(
  name: string,
  types: readonly string[],
): ((...args: number[]) => number) | undefined {
  try {
    return program?.func(name, "int", [...types]);
  } catch {
    return undefined;
  }
}

const terminated = (text: string): Uint8Array => Buffer.concat([bytesOf(text), Buffer.of(0)]);

const kind = (arg: Argument): string => (typeof arg === "number" ? "n" : typeof arg === "string" ? "s" : "p");

/** Where bytes are, for a structure that points to them: they must outlive the call that it is for. */
export function addressOf(bytes: Uint8Array): bigint {
  if (koffi === undefined) throw new Error("system calls are not loaded");
  return koffi.address(bytes);
}

/** `ENOTBLK` of 15; Node's own table lacks some that matter here. */
const nameOf = (errno: number, names: Readonly<Record<string, number>>): string =>
  Object.keys(names).find((name) => names[name] === errno) ?? `errno ${errno}`;
