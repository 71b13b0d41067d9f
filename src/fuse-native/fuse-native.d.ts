/**
 * The parts of the npm package fuse-native 2.2.6 that are used here; it brings no types. `result` is 0, a
 * count or -errno throughout. A handler that is absent is answered by libfuse itself.
 */
declare module "fuse-native" {
  class Fuse {
    constructor(mountpoint: string, operations: Fuse.Operations, options: Fuse.Options);
    /** Calls back when the kernel's INIT has come. */
    mount(done: (error: Error | null) => void): void;
    /** Calls the static `unmount`, then lets the event loop end. */
    _close(done: (error: Error | null) => void): void;
    static unmount(mountpoint: string, done: (error: Error | null) => void): void;
    /** What the package does with a request before and after a handler; the handler never sees the buffer. */
    _op_getxattr: Fuse.FillXattr<[path: string, name: string]>;
    _op_listxattr: Fuse.FillXattr<[path: string]>;
  }

  namespace Fuse {
    interface Options {
      /** Goes into libfuse's option string as it is: see options.ts. */
      fsname: string;
      /** Milliseconds until a handler counts as hanging; `false` sets no timer. */
      timeout: number | false;
    }
    interface Stat {
      mode: number;
      uid: number;
      gid: number;
      size: number;
      nlink: number;
      ino: number;
      rdev: number;
      blksize: number;
      blocks: number;
      /** Milliseconds; they become unsigned in C. */
      atime: number;
      mtime: number;
      ctime: number;
    }
    /** All are cut to 32 bits. */
    interface Statfs {
      bsize: number;
      frsize: number;
      blocks: number;
      files: number;
      ffree: number;
      namemax: number;
    }
    interface Operations {
      getattr(path: string, done: (result: number, stat?: Stat) => void): void;
      readdir(path: string, done: (result: number, names?: string[], stats?: Stat[]) => void): void;
      readlink(path: string, done: (result: number, target?: string) => void): void;
      read(
        path: string,
        fh: number,
        out: Buffer,
        length: number,
        offset: number,
        done: (result: number) => void,
      ): void;
      statfs(path: string, done: (result: number, statfs?: Statfs) => void): void;
      getxattr?: (...args: never[]) => void;
      listxattr?: (...args: never[]) => void;
    }
    /** `out` is the caller's room, of length 0 for a size probe; it is taken back with the answer. */
    type FillXattr<Args extends unknown[]> = (
      answer: (result: number, out: ArrayBufferLike) => void,
      ...args: [...Args, out: Buffer]
    ) => void;
  }

  export = Fuse;
}
