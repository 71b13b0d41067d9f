import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { needs } from "../support/needs.ts";
import { Unpackers, unpackersAbsent } from "./unpackers.ts";

/**
 * For the tests of one `describe`, which are left out where the unpackers cannot be had.
 *
 * @param name of a directory where files cost no disk, when there is such a place
 */
export function useUnpackers(name: string): { readonly dir: string; unpackers(): Unpackers } {
  needs(unpackersAbsent());
  const dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), `nydusd-ts-${name}-`));
  let found: Unpackers | undefined;
  beforeAll(() => {
    found = unpackersAbsent() === undefined ? new Unpackers() : undefined;
  });
  afterAll(() => {
    found?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const unpackers = () => {
    if (found === undefined) throw new Error("no unpackers");
    return found;
  };
  return { dir, unpackers };
}
