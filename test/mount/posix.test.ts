import { beforeAll, describe, expect, it } from "vitest";
import { ask, shell, start } from "../support/daemon.ts";
import { perl } from "../support/perl.ts";
import { type TarImage, tarImage } from "../support/tar-image.ts";

let image: TarImage;
beforeAll(() => {
  image = tarImage(`mkdir d; echo text >f; echo more >d/g; ln -s f l; ln -s l2 l2; mkfifo p
    setfattr -n user.a -v 0123456789 f; setfattr -n user.long -v "$(head -c 2000 /dev/zero | tr '\\0' v)" f`);
});

const LONG = "n".repeat(256);
const REFUSED = [
  ["cat f/x", "cat: f/x: Not a directory"],
  ["ls f/", "ls: cannot access 'f/': Not a directory"],
  ["cat d", "cat: d: Is a directory"],
  ["cat none", "cat: none: No such file or directory"],
  ["cat none/none", "cat: none/none: No such file or directory"],
  ["cat l2", "cat: l2: Too many levels of symbolic links"],
  [`cat ${LONG}`, `cat: ${LONG}: File name too long`],
  ["readlink -v f", "readlink: f: Invalid argument"],
  ["getfattr -n user.none f", "f: user.none: No such attribute"],
  ["getfattr -n user.a d", "d: user.a: No such attribute"],
  ["getfattr -n user.a -h l", "l: user.a: No such attribute"],
  ["env ./f", "env: './f': Permission denied"],
] as const;

/** Every kind of change, and changes that would change nothing. */
const CHANGES = [
  "touch new",
  "touch f",
  "mkdir new",
  "rm f",
  "rm -r d",
  "rmdir d",
  "chmod 600 f",
  "chown 1 f",
  "mv f new",
  "ln f new",
  "ln -s f new",
  "truncate -s 0 f",
  "truncate -s 9999 f",
  "setfattr -n user.x -v y f",
  "setfattr -x user.a f",
  "mknod new p",
  "cp f new",
  "dd if=/dev/null of=f conv=notrunc",
  "fallocate -l 4096 f",
];

describe.each(["direct", "fuse-native"])("%s", (transport) => {
  const serve = () => start([...image.flags, "--transport", transport]);

  it("refuses every change", async () => {
    const { mountpoint, stop } = await serve();
    for (const command of CHANGES) {
      const { status, stderr } = await shell(`cd "$1"; ${command}`, mountpoint);
      expect([command, status === 0, stderr.trim()]).toEqual([
        command,
        false,
        expect.stringMatching(/Read-only file system$/),
      ]);
    }
    expect(await ask('cd "$1"; ls; cat f', mountpoint)).toBe("d\nf\nl\nl2\np\ntext\n");
    expect(await stop()).toBe(0);
  });

  it("says why not", async () => {
    const { mountpoint, stop } = await serve();
    for (const [command, want] of REFUSED) {
      const { status, stdout, stderr } = await shell(`cd "$1"; ${command}`, mountpoint);
      expect([command, status === 0, stdout, stderr]).toEqual([command, false, "", `${want}\n`]);
    }
    expect(await stop()).toBe(0);
  });

  it("xattrs fit, or say ERANGE, whatever the room", async () => {
    const { mountpoint, stop } = await serve();
    const answers = await ask('perl -we "$1" "$2"', perl.xattrRooms, `${mountpoint}/f`);
    expect(answers.split("\n")).toEqual([
      "user.a: 0=10 1=ERANGE 9=ERANGE 10=10 11=10 65536=10",
      "user.long: 0=2000 1=ERANGE 1999=ERANGE 2000=2000 2001=2000 65536=2000",
      "list: 0=17 1=ERANGE 16=ERANGE 17=17 18=17 65536=17",
      "",
    ]);
    expect(await stop()).toBe(0);
  });
});
