import { join } from "node:path";
import { expect, it } from "vitest";
import { ask, hold } from "../support/daemon.ts";
import { must, startEmpty, version, versions } from "../support/submounts.ts";

const BEFORE =
  "echo 1 >file; mkdir dir; echo 2 >dir/in; ln -s before link; mkfifo fifo; mknod device c 1 3; echo same >same";
const AFTER =
  "mkdir file; echo 3 >file/in; ln -s after dir; echo 4 >link; mkdir fifo; mkfifo device; echo other >unlike";
const LOOK = 'cd "$1"; find . -printf "%p %y %l\\n" | sort; find . -type f | sort | xargs cat';

/** What GNU find shows of the newer tree, into which nothing of the older one shines but what it left. */
const NEWER = `. d \n./device p \n./dir l after\n./fifo d \n./file d \n./file/in f \n./link f \n./same f \n./unlike f \n3\n4\nsame\nother\n`;

it("a name that is another type of file after a remount is so at once; open files stay", async () => {
  const image = await versions(BEFORE, AFTER);
  const { sock, mountpoint, stop, output } = await startEmpty();
  const at = join(mountpoint, "i");
  await must(sock, "POST /i", version(image, 0));
  await ask('cd "$1"; find . -printf "%p %y %i %s\\n"; cat file dir/in', at);
  const holder = await hold('cd "$1"; exec 7<file 8<dir; cd dir', "cat <&7; ls /proc/self/fd/8/; cat in", at);
  await must(sock, "PUT /i", version(image, 1));
  expect(await ask(LOOK, at)).toBe(NEWER);
  expect(await holder.release()).toBe("1\nin\n2\n");
  await must(sock, "PUT /i", version(image, 0));
  expect(await ask("cd \"$1\"; stat -c '%n %F' *", at)).toBe(
    "device character special file\ndir directory\nfifo fifo\nfile regular file\nlink symbolic link\nsame regular file\n",
  );
  expect(output()).not.toMatch(/WARN|ERROR/);
  expect(await stop()).toBe(0);
});
