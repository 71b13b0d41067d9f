import { readdir, rm } from "node:fs/promises";
import { OperationalError } from "../bytes/errors.ts";

/**
 * Has work fill a directory, which is empty again when the work fails.
 *
 * @throws OperationalError when it is not empty, and nothing in it is touched; what the work throws
 */
export async function fillEmpty(directory: string, work: () => Promise<void>): Promise<void> {
  if ((await readdir(directory)).length > 0) throw new OperationalError(`${directory}: not empty`);
  try {
    await work();
  } catch (error) {
    for (const name of await readdir(directory, { encoding: "buffer" }))
      await rm(Buffer.concat([Buffer.from(`${directory}/`), name]), { recursive: true, force: true });
    throw error;
  }
}
