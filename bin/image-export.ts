import { basename, join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { VerityRequest } from "../src/block/export.ts";
import type { openImageDisk } from "../src/block/image-disk.ts";
import { OperationalError, UsageError } from "../src/bytes/errors.ts";
import { sharedCell } from "../src/mkfs/report.ts";
import { isRoot } from "../src/verity/hash-words.ts";
import { addDiskForm, type DiskFormFlags, diskFormOf } from "./disk-form.ts";
import { warn, withExamples } from "./help.ts";
import * as options from "./image-options.ts";
import { progress } from "./progress.ts";
import { sayLine } from "./say.ts";
import { salt, verityLine } from "./verity-words.ts";

interface ExportFlags extends options.ImageFlags, DiskFormFlags {
  block: boolean;
  output?: string;
  verity: boolean;
  verityOnly: boolean;
  veritySuperblock: boolean;
  salt?: Uint8Array;
  layer?: string;
  threads?: string;
}

interface VerifyFlags extends options.ImageFlags {
  hashFile?: string;
  hashOffset?: number;
  dataBlocks?: number;
  salt?: Uint8Array;
}

export function addExport(program: Command): void {
  const command = program
    .command("export")
    .description("write the image and its tars as one disk, for virtual machines and block devices")
    .option("--block", "as a block device, the only form", false)
    .option("-O, --output <file>", "where to; <blob-dir>/<name of the bootstrap>.disk when absent")
    .option("--layer <N|ID>", "one layer alone, as a disk of its own: by its number from 1, or its blob id")
    .option("--verity", "put the hash tree of dm-verity behind the disk, and print what opens it", false)
    .option("--verity-only", "write the hash tree alone, of a disk that is served elsewhere", false)
    .option(
      "--verity-superblock",
      "in front of the tree, its parameters, which veritysetup then finds",
      false,
    )
    .option("--salt <hex>", "of the hash tree; none when absent", salt)
    .addOption(new Option("--threads <n>", "of nydus-image; as many as there are CPUs").hideHelp())
    .action(async (image: string | undefined, flags: ExportFlags) => writeDisk(image, flags));
  options.addBlobOption(options.addImageOptions(addDiskForm(command)));
  withExamples(
    command,
    "nydus-image-ts export --block -B image.boot -D layers -O image.disk",
    "nydus-image-ts export --block --verity image.boot -D layers",
    "nydus-image-ts export --block --layer 1 image.boot -D layers -O base.disk",
  );
}

export function addVerify(program: Command): void {
  const command = program
    .command("verify")
    .description("hold an exported disk to the root digest of its dm-verity tree")
    .argument("<disk>", "what export --verity wrote, or with --hash-file a disk")
    .argument("<root>", "the root digest, 64 hex digits")
    .option("--hash-file <file>", "the tree that export --verity-only wrote")
    .option("--hash-offset <bytes>", "where superblock or tree begin", count)
    .option("--data-blocks <n>", "how many blocks the tree is of", count)
    .option("--salt <hex>", "of the hash tree", salt)
    .action(async (disk: string, root: string, flags: VerifyFlags) => {
      if (!isRoot(root)) throw new UsageError(`root digest ${root}: want 64 hex digits`);
      const { hashFile, hashOffset, dataBlocks } = flags;
      const request = { hashFile, hashOffset, dataBlocks, salt: flags.salt };
      const { verifyDisk } = await import("../src/block/verify-disk.ts"); // other commands start sooner without
      const problems = await verifyDisk({ disk, root: Buffer.from(root, "hex"), ...request });
      if (problems.length > 0) throw new OperationalError(`${disk}: ${problems.join("; ")}`);
      sayLine(`${disk}: all of it has the root digest ${root.toLowerCase()}`);
    });
  withExamples(command, "nydus-image-ts verify image.disk 5e1c…");
}

async function writeDisk(argument: string | undefined, flags: ExportFlags): Promise<void> {
  const image = options.imageOf(argument, flags);
  if (flags.threads !== undefined)
    warn("--threads has no effect: a disk is hashed by as many threads as there are CPUs");
  if (!flags.block) throw new UsageError("want --block, the only form of an export");
  const search = (await options.blobSearchOf(flags)) ?? options.besideOf(image);
  const output = flags.output ?? defaultOutput(image, flags);
  if (output === "-")
    throw new UsageError("--output -: a disk is written at its places, and no stream has those");
  if (flags.layer === undefined) return writeImage(image, search, output, flags);
  const { layerTar } = await import("../src/block/layer-tar.ts"); // other commands start sooner without
  const layer = layerTar(image, search, flags.layer);
  const { withLayerImage } = await import("./layer-image.ts");
  const files = new Map([["1", layer.path]]);
  return withLayerImage(layer, (bootstrap) => writeImage(bootstrap, { dirs: [], files }, output, flags));
}

async function writeImage(
  image: string,
  search: Parameters<typeof openImageDisk>[1],
  output: string,
  flags: ExportFlags,
): Promise<void> {
  const { openImageDisk } = await import("../src/block/image-disk.ts"); // as above
  const { exportDisk } = await import("../src/block/export.ts");
  const { disk, files, blockSize, close } = openImageDisk(image, search, diskFormOf(flags));
  const report = process.stderr.isTTY ? progress(true) : undefined;
  try {
    const verity = verityOf(flags, blockSize);
    const done = sharedCell();
    report?.start("disks", [disk.size], [done]);
    const made = await exportDisk({ disk, files, output, verity, done });
    if (made !== undefined) sayLine(verityLine(made, flags.veritySuperblock));
  } finally {
    report?.stop();
    close();
  }
}

function verityOf(flags: ExportFlags, dataBlock: number): VerityRequest | undefined {
  const { verity, verityOnly, veritySuperblock } = flags;
  if (!verity && !verityOnly) {
    if (veritySuperblock || flags.salt !== undefined)
      throw new UsageError(
        `${veritySuperblock ? "--verity-superblock" : "--salt"} is of a hash tree: want --verity`,
      );
    return undefined;
  }
  const salt = flags.salt ?? new Uint8Array(0);
  return { dataBlock, salt, hasSuperblock: veritySuperblock, isAlone: verityOnly };
}

function defaultOutput(image: string, { blobDir }: ExportFlags): string {
  const [dir] = blobDir;
  if (dir === undefined) throw new UsageError("want --output, or --blob-dir, where the disk is put then");
  return join(dir, `${basename(image)}.disk`);
}

function count(value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !Number.isSafeInteger(number) || number < 0)
    throw new InvalidArgumentError("want a whole number");
  return number;
}
