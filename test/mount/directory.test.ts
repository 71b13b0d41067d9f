import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ask, sh, start } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { perl } from "../support/perl.ts";
import { requireMkfs } from "../support/tar-image.ts";

const MANY = 100_000;
let boot = "";
beforeAll(() => {
  // Not by way of a tar: from one, mkfs.erofs takes minutes to make a directory this long.
  requireMkfs();
  const dir = scratchDir();
  boot = join(dir, "image.erofs");
  const kinds =
    "mkdir d; touch f; ln -s f l; mkfifo p; mknod c c 1 3; mknod b b 7 0; ln f h; ln -s none dead";
  sh(
    `mkdir -p "$D/all/many" "$D/all/kinds"; (cd "$D/all/kinds"; ${kinds})
     cd "$D/all/many"; seq -f file%.0f ${MANY} | xargs touch; mkfs.erofs --quiet -b512 "$B" "$D/all"`,
    { D: dir, B: boot },
  );
});

/** Reads all of a directory, then seeks to every `step`th position in it and looks at what comes from there. */
const seeks = `${perl.entries}
  my ($read, $sought, $step) = @ARGV; my @all;
  open(my $dir, "<", $read) or die $!;
  while (my @some = entries($dir, 32768)) { push @all, @some }
  my %seen = map { $_->[2] => 1 } @all;
  print scalar(@all), " entries, ", scalar(keys %seen), " positions\\n";
  open($dir, "<", $sought) or die $!;
  my $wrong = 0; my $done = 0; my $i = @all;
  while (($i -= $step) > 0) {
    seek_to($dir, $all[$i - 1][2]);
    my @some = entries($dir, 1024); $done++;
    @some > 0 or $wrong++;
    for my $k (0 .. $#some) { "@{$some[$k]}" eq "@{$all[$i + $k]}" or $wrong++ }
  }
  seek_to($dir, $all[-1][2]); print "after the last: ", scalar(entries($dir, 1024)), "\\n";
  seek_to($dir, 0); print "first: ", (entries($dir, 1024))[0][0] eq $all[0][0], "\\n";
  print "$done sought, $wrong wrong\\n";`;

describe.each([
  ["direct", 4],
  ["fuse-native", 10],
])("%s: a directory", (transport, step) => {
  const serve = () => start(["--bootstrap", boot, "--transport", transport]);

  it("goes on from each position it gave", async () => {
    const [one, other] = [await serve(), await serve()];
    const args = [`${one.mountpoint}/many`, `${other.mountpoint}/many`, `${step}`];
    expect(await ask('perl -we "$1" "$2" "$3" "$4"', seeks, ...args)).toBe(
      `${MANY + 2} entries, ${MANY + 2} positions\nafter the last: 0\nfirst: 1\n${Math.ceil((MANY + 2) / step) - 1} sought, 0 wrong\n`,
    );
    expect(await one.stop()).toBe(0);
    expect(await other.stop()).toBe(0);
  });

  it("goes on from each position when the kernel keeps the listing", async () => {
    const daemon = await serve();
    const many = `${daemon.mountpoint}/many`;
    expect(await ask('perl -we "$1" "$2" "$3" "$4"', seeks, many, many, "97")).toMatch(
      /\n1030 sought, 0 wrong\n$/,
    );
    const stdio = `opendir(my $d, $ARGV[0]) or die; my (@at, @names);
      do { push @at, telldir($d); push @names, scalar(readdir($d)) } while (defined $names[-1]);
      my $wrong = 0; for (my $i = $#names - 1; $i > 0; $i -= 997) { seekdir($d, $at[$i]); readdir($d) eq $names[$i] or $wrong++ }
      print scalar(@names) - 1, " names, $wrong wrong\\n"`;
    expect(await ask('perl -we "$1" "$2"', stdio, many)).toBe(`${MANY + 2} names, 0 wrong\n`);
    expect(await daemon.stop()).toBe(0);
  });

  it("gives every name once, and its true type", async () => {
    const daemon = await serve();
    expect(
      await ask(
        'cd "$1/many"; ls -f | sort | uniq -d; ls | wc -l; ls file1 file99999 file100000',
        daemon.mountpoint,
      ),
    ).toBe(`${MANY}\nfile1\nfile100000\nfile99999\n`);
    const script = `${perl.entries} open(my $dir, "<", $ARGV[0]) or die;
      print "$_->[0] ", $_->[1], " ", (lstat("$ARGV[0]/$_->[0]"))[2] >> 12, "\\n" for sort { $a->[0] cmp $b->[0] } entries($dir, 4096);`;
    const types = await ask('perl -we "$1" "$2"', script, `${daemon.mountpoint}/kinds`);
    expect(types.trim().split("\n")).toEqual([
      ". 4 4",
      ".. 4 4",
      "b 6 6",
      "c 2 2",
      "d 4 4",
      "dead 10 10",
      "f 8 8",
      "h 8 8",
      "l 10 10",
      "p 1 1",
    ]);
    expect(await daemon.stop()).toBe(0);
  });
});
