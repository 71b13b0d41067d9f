import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { Snapshots } from "./gen/snapshots_pb.ts";
import { transportTo } from "./transport.ts";

/**
 * Asks a snapshotter for what it does not have.
 *
 * @param address path of its socket
 * @throws ConnectError when none answers that it does not have it
 */
export async function mustAnswer(address: string, signal: AbortSignal): Promise<void> {
  try {
    await createClient(Snapshots, transportTo(address)).stat({ key: "is anybody there" }, { signal });
  } catch (error) {
    if (ConnectError.from(error).code !== Code.NotFound) throw error;
  }
}
