import { closeSync, copyFileSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sh, workDir } from "./daemon.ts";

/** A file system whose power can be cut off: what was not synced is gone then, though it may have its name. */
export interface CrashDisk {
  /** Where it is mounted; nothing is after `end`. */
  readonly directory: string;
  /** Copies it as it would be found. @param hasNames whether all names are on it that were given, of whatever */
  cut(hasNames?: boolean): string;
  /** Does something where a copy is mounted. */
  looking<T>(copy: string, look: (directory: string) => Promise<T>): Promise<T>;
  end(): void;
}

export function crashDisk(): CrashDisk {
  const dir = workDir();
  const directory = join(dir, "disk");
  mkdirSync(directory);
  const file = join(dir, "file");
  // Data reach the disk only when they are synced, and names without them.
  sh(
    `truncate -s 64M "$D/file"; mkfs.ext4 -q "$D/file"
     mount -o loop,data=writeback,noauto_da_alloc,commit=1 "$D/file" "$D/disk"`,
    { D: dir },
  );
  let copies = 0;
  return {
    directory,
    cut: (hasNames = false) => {
      if (hasNames) commitNames(join(directory, "other"));
      const copy = join(dir, `copy${copies++}`);
      copyFileSync(file, copy);
      return copy;
    },
    looking: async (copy, look) => {
      sh('mount -o loop "$C" "$D/disk"', { D: dir, C: copy });
      try {
        return await look(directory);
      } finally {
        sh('umount "$D/disk"; rm "$C"', { D: dir, C: copy });
      }
    },
    end: () => sh('umount "$D/disk"', { D: dir }),
  };
}

/** Syncing any file brings the journal to the disk, and with it what else was renamed. */
function commitNames(path: string): void {
  const fd = openSync(path, "w");
  fsyncSync(fd);
  closeSync(fd);
}

/** Every thread of a process. */
export const isStopped = (pid: number): boolean =>
  readdirSync(`/proc/${pid}/task`).every((task) =>
    /\) T /.test(readFileSync(`/proc/${pid}/task/${task}/stat`, "latin1")),
  );
