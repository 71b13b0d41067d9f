import { beforeAll, describe, expect, it } from "vitest";
import { ask, start, workDir } from "../support/daemon.ts";
import { TAR, type TarImage, tarImage } from "../support/tar-image.ts";

/** Every kind of file, sizes around every limit, and programs; shell, run in the empty tree. */
const PLAIN = `
  mkdir -p d/e/f many bin
  (cd many; seq 2000 | xargs touch)
  for n in 0 1 511 512 513 4095 4096 4097 131071 131072 131073 1048575 1048576 1048577; do head -c $n /dev/urandom >size$n; done
  ln size4097 hard; ln size4097 d/e/hard
  ln -s size1 short; ln -s "$(head -c 1000 /dev/zero | tr '\\0' a)" long; ln -s "$(head -c 4095 /dev/zero | tr '\\0' /)" longest
  mkfifo fifo; mknod null c 1 3; mknod loop b 7 200; mknod big c 4095 1048575
  touch 'new
line' ' spaces ' 'back\\slash' "$(head -c 255 /dev/zero | tr '\\0' n)" $'caf\\xc3\\xa9'
  touch s g t z half later; chmod 4755 s; chmod 2755 g; chmod 1777 d; chmod 0000 z
  chown 4000000000:70000 t; chown -h 1:2 short
  setfattr -n user.a -v "$(head -c 3000 /dev/zero | tr '\\0' v)" size1; setfattr -n user.empty d
  setfattr -n trusted.t -v t size512; setfattr -n user.of.a.directory -v v d/e
  setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 size513
  cp "$(type -P bash)" "$(type -P true)" bin
  ldd bin/bash | grep -o '/[^ ]*' | xargs -I LIB cp -L LIB bin
  mv bin/ld-* bin/ld.so`;
// mkfs.erofs keeps no fraction of a time within the second in which it runs.
const TIMES = `
  find . -print0 | xargs -0 touch -h -d @1600000000.25
  touch -d @1700000000.5 half; touch -d @4294967297 later`;
/** What fuse-native cannot show, see docs/transports.md. */
const ODD_NAMES = `
  touch $'caf\\xe9'; ln -s $'caf\\xe9' target`;
const ODD_TIMES = `
  touch -d @-1.75 many/1; touch -h -d @1700000000.123456789 target many`;

const images = new Map<string, TarImage>();
beforeAll(() => {
  images.set("direct", tarImage(PLAIN + ODD_NAMES + TIMES + ODD_TIMES));
  images.set("fuse-native", tarImage(PLAIN + TIMES));
});

describe.each(["direct", "fuse-native"])("%s", (transport) => {
  /** Runs a script with $M, the mount, $S, what was packed, and $W, a directory to work in. */
  async function using(script: string): Promise<string> {
    const { flags, source, tar } = images.get(transport) as TarImage;
    const daemon = await start([...flags, "--transport", transport, "-o", "dev,suid"]);
    const answer = await ask(`M=$1 S=$2 W=$3 T=$4; ${script}`, daemon.mountpoint, source, workDir(), tar);
    expect(await daemon.stop()).toBe(0);
    return answer;
  }

  it("rsync sees no difference, to the nanosecond, attribute and link", async () => {
    expect(await using('rsync -aHAX --checksum --modify-window=-1 --delete -n -i "$S/" "$M/"')).toBe("");
  });

  it("cp -a makes what was packed", async () => {
    const script = 'cp -a "$M/." "$W"; rsync -aHAX --checksum --modify-window=-1 --delete -n -i "$S/" "$W/"';
    expect(await using(script)).toBe("");
  });

  it("tar makes the tar that it was made of", async () => {
    expect(await using(`${TAR} -C "$M" -cf - . | cmp - "$T"`)).toBe("");
    expect(await using('tar -C "$S" -df "$T"; tar -C "$M" -df "$T"')).toBe("");
  });

  it("diff finds no difference", async () => {
    expect(await using('diff -r --no-dereference -x fifo -x null -x loop -x big "$S" "$M"')).toBe("");
  });

  it("find lists the same", async () => {
    const list = "find . -printf '%P|%y|%m|%U|%G|%n|%T@|%l\\n' -a ! -type d -printf '%s %b\\n' | sort";
    expect(
      await using(`diff <(cd "$S"; ${list} | sed 's/ [0-9]*$//') <(cd "$M"; ${list} | sed 's/ [0-9]*$//')`),
    ).toBe("");
    expect(await using('cd "$M"; find . -type d | wc -l; find . -samefile hard | sort')).toBe(
      "6\n./d/e/hard\n./hard\n./size4097\n",
    );
  });

  it("programs run from it, with their libraries mapped", async () => {
    const count =
      'n=0; while read -r line; do case $line in *"$0"/bin/*) n=$((n + 1)); esac; done </proc/$$/maps; echo $((n > 10))';
    const script = `"$M/bin/true"; cd "$M/bin"; ./ld.so --library-path . ./bash -c '${count}' "$M"`;
    expect(await using(script)).toBe("1\n");
  });

  it("uncached reads of any size are right", async () => {
    const sizes = "for n in 0 1 513 4095 4096 4097 131073 1048577; do for bs in 4096 65536 1048576; do";
    expect(
      await using(
        `${sizes} dd if="$M/size$n" bs=$bs iflag=direct status=none | cmp - "$S/size$n"; done; done`,
      ),
    ).toBe("");
  });

  it("reads at any offset are right", async () => {
    expect(
      await using(`for at in 0 1 511 512 4095 4097 131071 131073 1048575 1048576 1048577 2000000; do
      cmp <(tail -c +$((at + 1)) "$M/size1048577") <(tail -c +$((at + 1)) "$S/size1048577"); done`),
    ).toBe("");
  });

  it("it is a lower layer of overlayfs", async () => {
    expect(
      await using(`mkdir "$W/up" "$W/work" "$W/all"
      mount -t overlay overlay -o "lowerdir=$M,upperdir=$W/up,workdir=$W/work" "$W/all"; cd "$W/all"
      echo more >>size4097; rm size1; rm -r many; mkdir many; mv d moved; chmod 600 s
      getfattr -h --only-values -n security.capability -e hex size513 | wc -c
      getfattr -n user.of.a.directory --only-values moved/e; echo
      cmp -n 4097 size4097 "$S/size4097"; tail -c 5 size4097; ls many | wc -l; [ ! -e size1 ]; stat -c %a s
      find "$W/up" -type c | wc -l; cd /; umount "$W/all"
      rsync -aHAX --checksum --delete -n -i "$S/" "$M/"`),
    ).toBe("20\nv\nmore\n0\n600\n2\n");
  });
});
