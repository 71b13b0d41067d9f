import { AtomicFile } from "./atomic-file.ts";

/**
 * Writes a whole file, in place of what was there.
 *
 * @throws OperationalError naming it, or the system error of opening it
 */
export function writeWhole(path: string, bytes: Uint8Array): void {
  const file = new AtomicFile(path);
  try {
    file.write(bytes);
    file.commit();
  } finally {
    file.discard();
  }
}
