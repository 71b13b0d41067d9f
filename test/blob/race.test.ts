import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { HeldFiles } from "../../src/blob/held-files.ts";
import { messageOf } from "../../src/bytes/errors.ts";
import { openImage } from "../../src/fs/open-image.ts";
import { launch } from "../support/daemon.ts";
import { fixture, image, serveOpened, tree } from "../support/image.ts";

const ID = "d78eabf8367832485d7b73fe5b0b94913a8052f3937e2826ec8c9e00d4ea09de";
const ROUNDS = 500;

/** Puts in the blob's place, one after the other and as fast as it can: a link to a secret, a fifo, the tar. */
const SWAP = `use POSIX; my ($dir, $id, $tar) = @ARGV; $| = 1;
  for (my $i = 0; ; $i++) {
    my $new = "$dir/new"; unlink($new);
    if ($i % 3 == 0) { symlink("$dir/../secret", $new) or die $! }
    elsif ($i % 3 == 1) { mkfifo($new, 0600) or die $! }
    else { link($tar, $new) or die $! }
    rename($new, "$dir/$id") or die $!;
    print "swapping\\n" if $i == 10;
  }`;

it("a blob that is swapped while it is opened is refused, or its tar is served, without waiting", async () => {
  const { dir, path } = image("01-basic");
  const blobs = join(dir, "blobs");
  const [tar] = fixture("01-basic").devices;
  copyFileSync(tar, join(dir, "tar"));
  writeFileSync(join(dir, "secret"), "secret\n".repeat(10_000));
  mkdirSync(blobs);
  const swapper = launch("perl", ["-e", SWAP, blobs, ID, join(dir, "tar")]);
  await new Promise((resolve) => swapper.stdout.once("data", resolve));
  const search = { dirs: [blobs], files: new Map() };
  const said = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const held = new HeldFiles();
    try {
      const opened = openImage(path, search);
      const files = held.hold(opened.files);
      const served = serveOpened({ ...opened, files });
      expect(tree(served.fs)).toEqual(expect.arrayContaining([...fixture("01-basic").entries]));
      held.release(files);
      said.add("served");
    } catch (error) {
      said.add(messageOf(error).replaceAll(blobs, "DIR").replaceAll(ID, "ID"));
    }
  }
  swapper.kill("SIGKILL");
  const may = [
    "served",
    "DIR/ID: not the file that was there when the image was mounted",
    "DIR/ID: not a regular file",
    "blob ID: DIR/ID: not a regular file (wanted: 30720 bytes)",
    "blob ID: DIR/ID: a link leads out of DIR (wanted: 30720 bytes); name the directory that it leads to with --blob-dir, too",
  ];
  expect([...said].filter((one) => !may.includes(one))).toEqual([]);
});
