import type * as Fuse from "fuse-native";
import { countRead } from "../counters/counters.ts";
import { type FileSystem, newAttr, newEntry, ROOT_NODE } from "../vfs/file-system.ts";
import { OP } from "../vfs/opcodes.ts";
import type { Calls } from "./calls.ts";
import type { Paths } from "./paths.ts";
import { direntStat, fillStat, newStat, statfsOf } from "./records.ts";

/** PATH_MAX: no symlink target is longer, no name either. */
const TEXT_SIZE = 4096;

/**
 * The handlers of one mount. Not here, and right without: OPEN, OPENDIR and their releases (libfuse answers
 * them, there is nothing to keep per file), FLUSH and FSYNC (ENOSYS, once), ACCESS (the kernel checks, with
 * `default_permissions`), and everything that writes (`ro`).
 */
export function newOperations(fs: FileSystem, paths: Paths, calls: Calls): Fuse.Operations {
  const attr = newAttr();
  const stat = newStat();
  const entry = newEntry();
  const statfs = { blocks: 0, blockSize: 0, files: 0 };
  const text = Buffer.alloc(TEXT_SIZE);

  /** Appends all entries from the first on; the package wants them in one answer. */
  function list(node: number, names: string[], stats: Fuse.Stat[]): number {
    for (let more = fs.entry(node, 0, entry); ; more = fs.nextEntry(entry)) {
      if (more <= 0) return more;
      const { bytes, nameAt, nameLength } = entry;
      // The entry's name lies in its bytes.
      for (let i = 0; i < nameLength; i++) text[i] = bytes[nameAt + i] as number;
      names.push(text.toString("utf8", 0, nameLength));
      stats.push(direntStat(entry.ino, entry.type));
    }
  }

  return {
    getattr(path, done) {
      const result = calls.run(OP.GETATTR, path, () => {
        const node = paths.resolve(path);
        return node < 0 ? node : fs.attr(node, attr);
      });
      if (result < 0) done(result);
      else done(0, fillStat(attr, stat));
    },

    readdir(path, done) {
      const names: string[] = [];
      const stats: Fuse.Stat[] = [];
      const result = calls.run(OP.READDIR, path, () => {
        const node = paths.resolve(path);
        return node < 0 ? node : list(node, names, stats);
      });
      if (result < 0) done(result);
      else done(0, names, stats);
    },

    readlink(path, done) {
      const result = calls.run(OP.READLINK, path, () => {
        const node = paths.resolve(path);
        return node < 0 ? node : fs.readlink(node, text, 0);
      });
      if (result < 0) done(result);
      else done(0, text.toString("utf8", 0, result));
    },

    read(path, _fh, out, length, offset, done) {
      const result = calls.run(
        OP.READ,
        path,
        () => {
          const node = paths.resolve(path);
          return node < 0 ? node : fs.read(node, offset, length, out, 0);
        },
        () => ` offset=${offset} size=${length}`,
      );
      if (result >= 0) countRead(calls.counters, result);
      done(result);
    },

    statfs(_path, done) {
      const result = calls.run(OP.STATFS, "/", () => fs.statfs(ROOT_NODE, statfs));
      if (result < 0) done(result);
      else done(0, statfsOf(statfs));
    },
  };
}
