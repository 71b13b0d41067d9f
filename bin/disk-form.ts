import { type Command, InvalidArgumentError } from "commander";
import type { DiskForm } from "../src/block/image-disk.ts";

/** Flags that say what a disk is like, whether it is written or served. */
export interface DiskFormFlags {
  readonly singleDevice: boolean;
  readonly blockSize?: true;
}

export const addDiskForm = (command: Command): Command =>
  command
    .option("--single-device", "for kernels that know no device table in a disk: any from 5.19", false)
    .option(
      "--block-size <4096>",
      "for disks and guests with sectors of 4096 bytes: each file is moved to a block of its own, as a single device",
      largeBlocks,
    );

export const diskFormOf = ({ singleDevice, blockSize }: DiskFormFlags): DiskForm => ({
  isSingle: singleDevice,
  hasLargeBlocks: blockSize ?? false,
});

function largeBlocks(value: string): true {
  if (value !== "4096")
    throw new InvalidArgumentError("want 4096; without it, blocks are those of the image.");
  return true;
}
