import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { replaceFile } from "../atomic-file/replace-file.ts";
import { messageOf } from "../bytes/errors.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";
import { generationOf, lengthOf } from "./state.ts";
import { mustBeOwnState } from "./state-dir.ts";

/*
 * A state is in one of two areas of its file, each as large and both there from the beginning; the next goes into the
 * other. So a change that needs no more room than there is can be written down on a full disk, a process that is killed
 * meanwhile leaves the state before, and the file needs neither a new name nor a place for one.
 */

const BLOCK = 4096;
const { O_RDWR, O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Room for a state of that length, and for one that is a little longer: totals grow, times change. */
const roomFor = (length: number): number => Math.ceil((length + length / 4 + BLOCK / 4) / BLOCK) * BLOCK;

/** The file of two areas, as the process that serves writes it. */
export class StateAreas {
  private readonly path: string;
  private readonly temporary: string;
  private opened: { readonly fd: number; readonly room: number } | undefined;
  private newest: { at: number; generation: number } = { at: 0, generation: 0 };

  constructor(path: string, temporary: string) {
    this.path = path;
    this.temporary = temporary;
  }

  /** @param format makes what is written, of a generation @throws the system error: what was there is there still */
  write(format: (generation: number) => Buffer): void {
    const file = this.open();
    const generation = this.newest.generation + 1;
    const bytes = format(generation);
    if (file !== undefined && bytes.length <= file.room) {
      const at = this.newest.at === 0 ? file.room : 0;
      for (let done = 0; done < bytes.length; )
        done += writeSync(file.fd, bytes, done, bytes.length - done, at + done);
      fdatasyncSync(file.fd);
      this.newest = { at, generation };
    } else this.replace(bytes, generation);
  }

  /** The session is over: whatever becomes of the name, no process goes on with it. */
  end(): void {
    const file = this.open();
    if (file !== undefined) ftruncateSync(file.fd, 0);
    this.close();
  }

  private replace(bytes: Buffer, generation: number): void {
    this.close();
    mustBeOwnDirectory(dirname(this.path), { make: 0o700 });
    const content = Buffer.alloc(2 * roomFor(bytes.length));
    content.set(bytes);
    replaceFile(this.path, content, { mode: 0o600, isDurable: true, temporary: this.temporary });
    this.newest = { at: 0, generation };
  }

  /** @returns undefined where there is no file of two areas under that name (any more) */
  private open(): { readonly fd: number; readonly room: number } | undefined {
    const named = statSync(this.path, { throwIfNoEntry: false });
    if (this.opened !== undefined) {
      const { dev, ino } = fstatSync(this.opened.fd);
      if (named?.dev === dev && named.ino === ino) return this.opened;
      this.close();
    }
    if (named === undefined) return undefined;
    const fd = openSync(this.path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    try {
      mustBeOwnState(fd);
      const found = newestIn(readFileSync(fd));
      if (found !== undefined) {
        this.newest = found;
        this.opened = { fd, room: found.room };
        return this.opened;
      }
    } catch {} // whatever it is, it is replaced
    closeSync(fd);
    return undefined;
  }

  private close(): void {
    if (this.opened !== undefined) closeSync(this.opened.fd);
    this.opened = undefined;
  }
}

/** @returns where the newest whole state begins; undefined: it is no file of two areas, or has no state */
function newestIn(bytes: Buffer): { at: number; generation: number; room: number } | undefined {
  const room = bytes.length / 2;
  if (room === 0 || room % BLOCK !== 0) return undefined;
  const found = [0, room].flatMap((at) => {
    const area = bytes.subarray(at, at + room);
    return lengthOf(area) === undefined ? [] : [{ at, room, generation: generationOf(area) }];
  });
  return found.sort((a, b) => b.generation - a.generation)[0];
}

/**
 * The newest state of a file; the whole of a file of one state, as older versions wrote it.
 *
 * @returns nothing when the session is over
 * @throws the system error; Error when others may have written it
 */
export function readAreas(path: string): Buffer {
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    mustBeOwnState(fd);
    const bytes = readFileSync(fd);
    const found = newestIn(bytes);
    return found === undefined
      ? bytes
      : bytes.subarray(found.at, found.at + (lengthOf(bytes.subarray(found.at)) ?? 0));
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`);
  } finally {
    closeSync(fd);
  }
}
