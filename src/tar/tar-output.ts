import type { Output } from "../atomic-file/output.ts";
import { TarWriter } from "./write-tar.ts";

/**
 * Writes a tar.
 *
 * @param fill adds its entries
 * @throws whatever `fill` and the output throw; there is no output then
 */
export async function writeTarTo(out: Output, fill: (writer: TarWriter) => Promise<void>): Promise<void> {
  const writer = new TarWriter((bytes) => out.write(bytes));
  try {
    await fill(writer);
    await writer.finish();
    await out.commit();
  } catch (error) {
    await writer.abort();
    await out.discard();
    throw error;
  }
}
