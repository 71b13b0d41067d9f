#!/bin/sh
# bare-install.sh FILE.tgz: installs the package as people do, on a machine that has Node and npm and nothing else, and
# tries what it brings: each command, each driver and transport, removing it. Runs as root in a root of its own.
set -eu
package=$1
work=$(mktemp -d -p "$(dirname "$package")")
mnt=$work/mnt
trap 'umount -l "$mnt" 2>/dev/null || true; rm -rf "$work"' EXIT

fail() {
  echo "$*"
  exit 1
}

for program in cc gcc make python3 fusermount fusermount3; do
  ! command -v $program >/dev/null || fail "this machine is not bare: it has $program"
done
[ -z "$(ldconfig -p | grep libfuse)" ] || fail "this machine is not bare: it has libfuse"

# One line says what was added; npm's notices are about itself.
find /usr/local -not -type d | sort >"$work/before"
npm install --global "$package" >"$work/install" 2>&1 || fail "npm install: $(cat "$work/install")"
cat "$work/install"
! grep -iE 'warn|deprecat|error|script' "$work/install" || fail "npm install said more than what was added"

installed=$(npm root --global)/nydusd-ts
npm ls --global --depth 0 | grep -q ' nydusd-ts@' || fail "npm ls does not list it"
(cd "$installed" && npm ls --all --omit=dev >"$work/ls" 2>&1) || fail "npm ls: $(grep -v UNMET "$work/ls")"
modes=$(find "$installed" -type f \( -perm /7022 -o ! -perm -444 \))
[ -z "$modes" ] || fail "modes that are not 644 or 755: $modes"
# npm 12 installs no manual pages, of no package.
major=$(npm --version | cut -d. -f1)
for page in man8/nydusd-ts.8 man1/nydus-image-ts.1 man8/nydusctl-ts.8 man8/nydus-snapshotter-ts.8; do
  [ "$major" -ge 12 ] || [ -s "/usr/local/share/man/$page" ] || fail "no manual page $page"
done
for name in nydusd-ts nydus-image-ts nydusctl-ts nydus-snapshotter-ts; do
  $name --version | grep -q '^Version: ' || fail "$name --version says: $($name --version 2>&1)"
  npx $name --version | grep -q '^Version: ' || fail "npx $name does not find it"
done
nydusd-ts doctor >"$work/doctor" || true # its status tells what this host lacks

cd "$work"
mkdir mnt tree
head -c 100000 /dev/urandom >tree/file
echo hello >tree/hello
tar -C tree -cf layer.tar .
nydus-image-ts create layer.tar -B layer.boot >/dev/null
nydus-image-ts check layer.boot --blob layer.tar >/dev/null 2>&1 || nydus-image-ts check layer.boot >/dev/null

# Beside this shell, because it may stay until the end.
try() {
  echo "nydusd-ts mount layer.tar $*"
  nydusd-ts mount layer.tar mnt "$@" >log 2>&1 &
  for _ in $(seq 600); do
    if [ -e mnt/hello ]; then break; fi
    kill -0 $! 2>/dev/null || [ -e mnt/hello ] || fail "mount $*: $(cat log)"
    sleep 0.1
  done
  diff -r tree mnt || fail "mount $* shows something else: $(cat log)"
  nydusd-ts umount mnt || fail "umount after mount $*: $(cat log)"
  wait $! || fail "mount $* ended with status $?: $(cat log)"
  ! grep -q " $mnt " /proc/self/mounts || fail "mount $* left a mount"
  grep -o 'driver=[a-z]* backing=[a-z]*\|transport=[a-z-]*' log | head -n 1
}
try --driver fuse --transport direct
try --driver fuse --transport fuse-native
if grep -q '^ok *driver-erofs' doctor; then try --driver erofs; else echo "this kernel has no EROFS for it"; fi
try

npm uninstall --global nydusd-ts >/dev/null
find /usr/local -not -type d | sort | diff "$work/before" - || fail "npm uninstall left something"
echo "node $(node --version), npm $(npm --version): installed, $(grep -c ^ok doctor) parts of doctor ok, mounted by 4 ways, removed"
