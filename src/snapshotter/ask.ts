import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import {
  Administration,
  ContentsResponseSchema,
  type Garbage,
  GarbageResponseSchema,
} from "../containerd/gen/administration_pb.ts";
import { Snapshots } from "../containerd/gen/snapshots_pb.ts";
import { transportTo } from "../containerd/transport.ts";
import type { Contents, Plain } from "./contents.ts";

/** A snapshotter that runs, asked over its socket. */
export class RunningSnapshotter {
  private readonly address: string;
  private readonly transport: ReturnType<typeof transportTo>;

  constructor(address: string) {
    this.address = address;
    this.transport = transportTo(address);
  }

  /**
   * @param measure also snapshots that are written to
   * @throws OperationalError when it does not answer
   */
  async contents(measure: boolean): Promise<Contents> {
    const said = await this.asking(createClient(Administration, this.transport).contents({ measure }));
    return plain<Contents>(ContentsResponseSchema, said);
  }

  /** What a clean-up would remove now. @throws OperationalError when it does not answer */
  async garbage(): Promise<readonly Plain<Garbage>[]> {
    const said = await this.asking(createClient(Administration, this.transport).garbage({}));
    return plain<{ readonly garbage: readonly Plain<Garbage>[] }>(GarbageResponseSchema, said).garbage;
  }

  /** As containerd does after it has collected garbage. @throws OperationalError when it does not answer */
  async cleanUp(): Promise<void> {
    await this.asking(createClient(Snapshots, this.transport).cleanup({}));
  }

  private async asking<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw new OperationalError(`${this.address}: no snapshotter answers: ${messageOf(error)}`);
    }
  }
}

/** A message without what is protobuf's. */
const plain = <T>(schema: DescMessage, message: MessageShape<DescMessage>): T =>
  toJson(schema, message, { alwaysEmitImplicit: true }) as T;
