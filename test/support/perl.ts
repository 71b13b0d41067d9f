/**
 * System calls that no command makes, in perl, which every Debian has. Numbers are those of x86-64 and arm64;
 * perl's `syscall` wants numbers that are numbers and strings that could be written to.
 */
const ARM = process.arch === "arm64";
const nr = (x64: number, arm64: number): number => (ARM ? arm64 : x64);

/** handle_of(PATH), and content(PATH OF THE MOUNT, HANDLE) of the file it stands for. */
const handle = `
  sub handle_of {
    my ($path) = @_; my $handle = pack("Li", 128, 0) . "\\0" x 128; my $id = pack("i", 0);
    syscall(${nr(303, 264)}, -100, $path, $handle, $id, 0) == 0 or die "name_to_handle_at: $!";
    return $handle;
  }
  sub content {
    my ($root, $handle) = @_;
    open(my $dir, "<", $root) or die $!;
    my $fd = syscall(${nr(304, 265)}, fileno($dir), $handle, 0);
    $fd >= 0 or die "open_by_handle_at: $!";
    open(my $file, "<&=", $fd) or die $!;
    local $/; return <$file>;
  }`;

/** forget(PATH OF A MOUNT): a remount drops all names that nobody holds, of this one file system. */
const remount = `
  sub forget {
    my ($root) = @_; my ($none, $flags) = ("none", 1 | 2 | 4 | 32 | 1024);
    syscall(${nr(165, 40)}, $none, $root, $none, $flags, $none) == 0 or die "remount: $!";
  }`;

/** Compares a file (uncached, 64 KiB a read) with its original until 400 signals have come. */
const signals = `
  my ($path, $original) = @ARGV; my $caught = 0; my $parent = $$;
  $SIG{ALRM} = sub { $caught++ };
  my $child = fork();
  if ($child == 0) { while (kill("ALRM", $parent)) { select(undef, undef, undef, 0.0005) } exit }
  while ($caught < 400) {
    sysopen(my $file, $path, ${ARM ? 0x10000 : 0x4000}) or die $!; open(my $right, "<:raw", $original) or die $!;
    for (;;) {
      my $n = sysread($file, my $is, 65536);
      defined $n or $!{EINTR} ? next : die "read: $!";
      last if $n == 0;
      my $want; read($right, $want, $n); $is eq $want or die "wrong bytes";
    }
    eof($right) or die "ends early";
  }
  kill("KILL", $child); waitpid($child, 0);
  print "all right after $caught signals\\n"`;

/** Asks for a file's attributes without end, past what the kernel knows (AT_STATX_FORCE_SYNC): each call is a request. */
const attributes = `
  my ($path) = @ARGV; my $found = "\\0" x 256;
  syscall(${nr(332, 291)}, -100, $path, 0x2000, 0x7ff, $found) == 0 or die "statx: $!" while 1`;

/** For rooms around the size of two values and a list: what each call answers. */
const xattrRooms = `
  my ($path) = @ARGV;
  sub show { my ($size, $call) = @_; my @all;
    for my $room (0, 1, $size - 1, $size, $size + 1, 65536) {
      my $n = $call->(my $buffer = "\\0" x ($room || 1), $room);
      push @all, "$room=" . ($n >= 0 ? $n : $!{ERANGE} ? "ERANGE" : "$!");
    }
    return "@all\\n"; }
  my %sizes = ("user.a" => 10, "user.long" => 2000);
  for my $name (sort keys %sizes) {
    my $c = "$name";
    print "$name: ", show($sizes{$name}, sub { syscall(${nr(191, 8)}, $path, $c, $_[0], $_[1]) });
  }
  print "list: ", show(17, sub { syscall(${nr(194, 11)}, $path, $_[0], $_[1]) });`;

/** entries(DIRECTORY HANDLE, BUFFER BYTES): the next of `struct linux_dirent64`, as [name, type, position after]. */
const entries = `
  sub entries {
    my ($dir, $room) = @_; my $buffer = "\\0" x $room; my @all;
    my $n = syscall(${nr(217, 61)}, fileno($dir), $buffer, $room);
    $n >= 0 or die "getdents64: $!";
    for (my $at = 0; $at < $n; ) {
      my ($ino, $next, $length, $type) = unpack("QqSC", substr($buffer, $at));
      push @all, [unpack("Z*", substr($buffer, $at + 19)), $type, $next]; $at += $length;
    }
    return @all;
  }
  sub seek_to {
    my ($dir, $position) = @_;
    syscall(${nr(8, 62)}, fileno($dir), $position, 0) == $position or die "lseek: $!";
  }`;

/** Binds a mount to another directory with all ids 100000 higher, as containers in a user namespace of their own see it. */
const idmapped = `
  my ($from, $to, $none) = (@ARGV, "");
  pipe(my $ready, my $say); pipe(my $wait, my $go);
  my $child = fork();
  if ($child == 0) {
    close($go); syscall(${nr(272, 97)}, 0x10000000) == 0 or die "unshare: $!";
    syswrite($say, "x"); sysread($wait, my $byte, 1); exit;
  }
  sysread($ready, my $byte, 1);
  for my $ids ("uid", "gid") { open(my $map, ">", "/proc/$child/\${ids}_map"); print $map "0 100000 65536"; }
  open(my $user, "<", "/proc/$child/ns/user") or die $!;
  my $tree = syscall(428, -100, $from, 1); $tree >= 0 or die "open_tree: $!";
  my $attr = pack("QQQQ", 0x100000, 0, 0, fileno($user));
  syscall(442, $tree, $none, 0x1000, $attr, 32) == 0 or die "mount_setattr: $!";
  syscall(429, $tree, $none, -100, $to, 4) == 0 or die "move_mount: $!";
  close($go); waitpid($child, 0);`;

/** Runs a command in a terminal that is closed as soon as it has said that it is ready; its pid, and how it ended. */
const terminal = `
  use POSIX; $| = 1;
  sysopen(my $master, "/dev/ptmx", 2) or die $!;
  my $zero = pack("i", 0); ioctl($master, 0x40045431, $zero) or die $!;
  my $number = pack("i", 0); ioctl($master, 0x80045430, $number) or die $!;
  my $name = "/dev/pts/" . unpack("i", $number);
  my $pid = fork();
  if ($pid == 0) {
    setsid(); close($master); sysopen(my $tty, $name, 2) or die $!;
    dup2(fileno($tty), $_) for 0, 1, 2; close($tty); exec(@ARGV) or die $!;
  }
  my $text = ""; while ($text !~ /^ready /m) { sysread($master, $text, 4096, length($text)) or last }
  close($master);
  print "$pid\\n"; waitpid($pid, 0);
  print $? & 127 ? "signal " . ($? & 127) : "status " . ($? >> 8), "\\n"`;

export const perl = { attributes, nr, handle, idmapped, terminal, remount, signals, xattrRooms, entries };
