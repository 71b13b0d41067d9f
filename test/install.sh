#!/bin/sh
# The programs that tests run, and what they need of the machine: installs what is missing where it can, and
# says in a line what is missing where it cannot. Debian 12's mkfs.erofs is too old to judge by, so a newer one
# is built from Debian's own source into .cache/tools. Takes milliseconds when there is nothing to do.
set -eu

# program:Debian package, of all that tests run and that a Debian of required packages alone may lack
PROGRAMS="python3:python3 pip3:python3-pip perl:perl-base getfattr:attr setcap:libcap2-bin rsync:rsync curl:curl ss:iproute2 pkill:procps
openssl:openssl zstd:zstd xz:xz-utils bzip2:bzip2 igzip:isal pigz:pigz fusermount:fuse3 mmdebstrap:mmdebstrap umoci:umoci skopeo:skopeo
prometheus:prometheus fio:fio faketime:faketime systemd-analyze:systemd
fincore:util-linux-extra protoc:protobuf-compiler veritysetup:cryptsetup-bin dmsetup:dmsetup qemu-system-x86_64:qemu-system-x86 cpio:cpio nbdinfo:libnbd-bin qemu-img:qemu-utils mkfs.ext4:e2fsprogs zsh:zsh fish:fish tree:tree"
EROFS_AT_LEAST=1.8

root=$(cd "$(dirname "$0")/.." && pwd)
cache=$root/.cache
PATH=$cache/tools:$PATH:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL

say() { echo "nydusd-ts: $*" >&2; }
fail() {
  say "$*"
  exit 1
}
has() { command -v "$1" >/dev/null; }
is_root() { [ "$(id -u)" = 0 ]; }

missing() { # prints field $1 (1 program, 2 package) of every program that is not there
  for pair in $PROGRAMS; do
    has "${pair%:*}" || echo "$pair" | cut -d: -f"$1"
  done
}

at_least() { # version $1 is $2 or newer
  [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

has_erofs() {
  for program in mkfs.erofs fsck.erofs; do
    has $program || return 1
    at_least "$($program -V 2>&1 | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')" $EROFS_AT_LEAST || return 1
  done
}

install_packages() { # lists may be absent or old; one broken source of many is no reason to stop
  set -- apt-get install -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
  DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 && return
  apt-get update -qq >>"$log" 2>&1 || true
  DEBIAN_FRONTEND=noninteractive "$@" >>"$log" 2>&1
}

# In a shell of its own: it changes directory, and is cut short by whatever fails.
build_erofs() (
  set -eux
  work=$1
  uri=$2
  keyring=$3
  cd "$work"
  mkdir -p lists/partial archives/partial
  echo "deb-src [check-valid-until=no${keyring:+ signed-by=$keyring}] $uri sid main" >sid.list
  sid() {
    apt-get -q -o Dir::Etc::sourcelist="$work/sid.list" -o Dir::Etc::sourceparts=- \
      -o Dir::State::lists="$work/lists" -o Dir::Cache="$work" "$@"
  }
  sid update
  sid source --download-only erofs-utils
  tar xf erofs-utils_*.orig.tar.*
  cd erofs-utils-*/
  ./autogen.sh
  ./configure --disable-shared --disable-multithreading --without-uuid --without-selinux --without-libzstd \
    --without-zlib --without-openssl --without-libxml2 --disable-lz4 --disable-lzma
  for part in lib mkfs fsck; do make -j "$(nproc)" -C $part; done
  mkdir -p "$cache/tools"
  # Renamed into place: somebody may run the old one.
  for program in mkfs/mkfs.erofs fsck/fsck.erofs; do
    install -s $program "$cache/tools/.new"
    mv "$cache/tools/.new" "$cache/tools/${program#*/}"
  done
)

get_erofs() {
  candidate=$(apt-cache policy erofs-utils | sed -n 's/^ *Candidate: //p')
  if at_least "${candidate:-0}" $EROFS_AT_LEAST; then
    say "installing erofs-utils $candidate"
    install_packages erofs-utils || fail "apt-get could not install erofs-utils: see $log"
    return
  fi
  archive=$(sh "$root/test/debian-archive.sh")
  [ -n "$archive" ] || fail "no erofs-utils $EROFS_AT_LEAST or newer: this system has none and is not Debian; install it by hand"
  sources=${archive#* }
  keyring=$(sed -n 's/.*[Ss]igned-[Bb]y[:=] *\(\/[^] ,]*\).*/\1/p' "$sources" | head -n 1)
  say "building erofs-utils from Debian's source (a minute)"
  install_packages gcc libc6-dev make autoconf automake libtool pkg-config ||
    fail "apt-get could not install a compiler for erofs-utils: see $log"
  work=$(mktemp -d)
  chmod 755 "$work" # apt downloads as a user of its own
  trap 'rm -rf "$work"' EXIT
  set +e # a test of its status would switch -e off inside, too
  build_erofs "$work" "${archive%% *}" "$keyring" >"$log" 2>&1
  status=$?
  set -e
  [ $status = 0 ] || fail "erofs-utils could not be built: see $log"
  has_erofs || fail "erofs-utils was built, but mkfs.erofs -V does not say $EROFS_AT_LEAST or newer: see $log"
}

packages=$(missing 2 | sort -u | tr '\n' ' ')
if [ -n "$packages" ] || ! has_erofs; then
  if is_root && has apt-get; then
    mkdir -p "$cache"
    log=$cache/install.log
    if [ -n "$packages" ]; then
      say "installing $packages"
      # shellcheck disable=SC2086 # a list
      install_packages $packages || fail "apt-get could not install $packages: see $log"
    fi
    has_erofs || get_erofs
  else
    programs=$(missing 1 | tr '\n' ' ')
    has_erofs || programs="${programs}mkfs.erofs fsck.erofs ($EROFS_AT_LEAST or newer)"
    if has apt-get; then cure="run this as root: sh test/install.sh"; else cure="install them by hand"; fi
    say "tests will fail without $programs; $cure"
  fi
fi

sh "$root/test/guest.sh"
sh "$root/test/engines.sh"
has go || say "no go, so layers are not compared with what containerd and umoci unpack, and neither containerd's tests of snapshotters nor those of pods are run: install Go 1.24 or newer"

# A kernel module is there only once somebody asked for it.
if is_root && has modprobe; then
  modprobe -qa fuse erofs 2>/dev/null || true
fi
if [ ! -e /dev/fuse ]; then
  say "no /dev/fuse, so mount tests will fail: load the module (modprobe fuse), or give the container --device /dev/fuse"
elif ! [ -r /dev/fuse ] || ! [ -w /dev/fuse ]; then
  say "no access to /dev/fuse, so mount tests will fail: run them as root"
elif ! is_root && has fusermount; then
  say "not root: tests that mount by themselves will fail; run them as root"
elif ! is_root; then
  say "neither root nor a fusermount program, so nothing can be mounted: run the tests as root, or install fuse3"
fi
grep -qw erofs /proc/filesystems ||
  say "this kernel has no EROFS (see /proc/filesystems): comparisons with it are left out; modprobe erofs, or Linux 6.12 or newer with CONFIG_EROFS_FS"
