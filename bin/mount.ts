import type { Command } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import { nameForOthers } from "../src/daemon/descriptors.ts";
import type { MountFlags } from "../src/daemon/options-from-flags.ts";
import { mustKnow } from "../src/mounts/option-words.ts";
import { shownName } from "../src/source/shown-name.ts";
import { givenOptions } from "./given.ts";
import { withExamples } from "./help.ts";
import { addMountOptions, SOURCE_OPTIONS } from "./mount-options.ts";
import type { SourceFlags } from "./mounting.ts";
import { takeWords } from "./option-words.ts";

/** Adds the two commands that mount; what they do is loaded only for them. @returns the one that need not be named */
export function addMountCommands(program: Command, isPlain: () => boolean): Command {
  const fuse = addMountOptions(
    program
      .command("fuse", { isDefault: true })
      .description("mount an image and serve it in the foreground (also without naming the command)")
      .option(
        "-B, --bootstrap <file>",
        "the image: RAFS v6 bootstrap, EROFS image or flattened disk; without it, --apisock brings images later",
      )
      // Asked for when it is used: what is wrong with another option is said first.
      .option("-M, --mountpoint <dir>", "directory to mount on (required)"),
  );
  withExamples(
    fuse,
    "nydusd-ts -B image.boot --blob-dir /var/lib/layers -M /mnt/rootfs",
    "nydusd-ts -B image.boot --blob 1=layer.tar -M /mnt/rootfs --daemonize --pid-file /run/rootfs.pid",
    "nydusd-ts -M /mnt/images --apisock /run/images.sock      images come later, by nydusctl-ts mount",
  );
  fuse.action(async (flags: MountFlags, command: Command) => {
    if (command.getOptionValue("mountpoint") === undefined)
      throw new UsageError("required option '-M, --mountpoint <dir>' not specified");
    const { words: options } = takeWords(command, flags.options, false);
    mustKnow("fuse", options);
    const { fuseMount } = await import("./mounting.ts");
    return fuseMount({ ...command.opts<MountFlags>(), options }, givenOptions(command));
  });
  const mount = addMountOptions(
    program
      .command("mount <source...>")
      .usage("[options] <source...> <dir>")
      .description(
        "mount what there is, and return: a bootstrap, whose tars are found beside it unless options say otherwise; or " +
          "layers, the lowest first, as tars, compressed or not (- for stdin); or an OCI image layout or archive, or what " +
          "docker save wrote",
      ),
    SOURCE_OPTIONS,
  );
  withExamples(
    mount,
    "nydusd-ts mount image.boot /mnt/rootfs                   the tars lie beside the bootstrap",
    "nydusd-ts mount base.tar app.tar.gz /mnt/rootfs          layers, the lowest first",
    "nydusd-ts mount saved.tar /mnt/rootfs --ref app:1.0      what docker save wrote",
    "nydusd-ts mount oci-layout /mnt/rootfs --platform linux/arm64",
    "nydusd-ts mount image.boot /mnt/rootfs --rw /var/lib/changes",
  );
  mount.action(async (args: string[], given: SourceFlags, command: Command) => {
    const { words: options, isRemount } = takeWords(command, given.options, isPlain());
    const mountpoint = args.at(-1) ?? "";
    if (isRemount) return (await import("../src/daemon/remount-image.ts")).remountImage(mountpoint, options);
    const paths = args.slice(0, -1);
    const flags = command.opts<SourceFlags>();
    const name = shownName(paths.map(nameForOthers), flags.ref);
    const { mountSources } = await import("./mounting.ts");
    return mountSources(paths, { ...flags, mountpoint, name, options }, givenOptions(command));
  });
  return fuse;
}
