#!/bin/sh
# bare-one-file.sh FILE.deb: installs the Debian package with the executable that has all in it, on a machine without Node, compiler
# and libfuse, and tries each name of it: each driver and transport, a death, an upgrade to another file under readers,
# mount(8), a stranger's directory where it unpacks, containerd's side, removing it. Runs as root in a root of its own.
set -eu
work=$(mktemp -d -p "$(dirname "$1")")
mnt=$work/mnt
snapshotter=''
trap 'umount -l "$mnt" 2>/dev/null || true; [ -z "$snapshotter" ] || kill $snapshotter 2>/dev/null || true; rm -rf "$work"' EXIT

fail() {
  echo "$*"
  exit 1
}
# becomes WANT COMMAND…: what it prints, soon
becomes() {
  want=$1
  shift
  for _ in $(seq 1200); do
    if got=$("$@" 2>&1) || true && [ "$got" = "$want" ]; then return; fi
    sleep 0.1
  done
  fail "$*: \"$got\", want \"$want\": $(cat log)"
}

for program in node npm cc gcc make python3 fusermount fusermount3; do
  ! command -v $program >/dev/null || fail "this machine is not bare: it has $program"
done
[ -z "$(ldconfig -p | grep libfuse)" ] || fail "this machine is not bare: it has libfuse"

find / -xdev -not -path '/bare/*' -not -path '/proc/*' -not -type d | sort >"$work/before"
dpkg --install "$1" >"$work/install" 2>&1 || fail "dpkg --install: $(cat "$work/install")"
! grep -iE 'warn|error' "$work/install" || fail "dpkg complained"
for name in nydusd-ts nydus-image-ts nydusctl-ts nydus-snapshotter-ts; do
  $name --version | grep -q '^Version: ' || fail "$name --version says: $($name --version 2>&1)"
  [ -s "/usr/share/bash-completion/completions/$name" ] || fail "no completion of $name"
done
for owner in 'Node.js contributors' 'The Connect Authors' 'Google Inc' 'Free Software Foundation'; do
  grep -q "Copyright.*$owner" /usr/share/doc/nydusd-ts/copyright || fail "the licences have nothing of $owner"
done

cd "$work"
mkdir mnt tree file
head -c 300000 /dev/urandom >tree/file
echo hello >tree/hello
tar -C tree -cf layer.tar .
nydus-image-ts create layer.tar -B layer.boot >/dev/null
nydus-image-ts check layer.boot --blob layer.tar >check 2>&1 || fail "nydus-image-ts check: $(cat check)"
[ "$(nydus-image-ts cat layer.tar /hello)" = hello ] || fail "nydus-image-ts cat shows something else"
nydusd-ts doctor >doctor || true # its status tells what this host lacks

try() {
  nydusd-ts mount layer.tar mnt "$@" >log 2>&1 || fail "mount $*: $(cat log)"
  diff -r tree mnt || fail "mount $* shows something else: $(cat log)"
  nydusd-ts ls | grep -q "^$mnt " || fail "ls does not list it: $(nydusd-ts ls)"
  nydusd-ts umount mnt >/dev/null || fail "umount after mount $*: $(cat log)"
  becomes "" sh -c 'grep " $1 " /proc/self/mounts' sh "$mnt"
}
try --driver fuse --transport direct
try --driver fuse --transport fuse-native
# Another libfuse than the one in there, or none.
cp "$(find ~/.cache/nydusd-ts -name libfuse.so | head -n 1)" libfuse.so.2
export NYDUSD_LIBFUSE="$work/libfuse.so.2"
try --driver fuse --transport fuse-native
rm libfuse.so.2
! nydusd-ts mount layer.tar mnt --driver fuse --transport fuse-native >log 2>&1 || fail "it takes another libfuse than NYDUSD_LIBFUSE"
grep -q "NYDUSD_LIBFUSE: $work/libfuse.so.2: " log || fail "without NYDUSD_LIBFUSE it says: $(cat log)"
unset NYDUSD_LIBFUSE
if grep -q '^ok *driver-erofs' doctor; then try --driver erofs; else echo "this kernel has no EROFS for it"; fi
try

# mount(8) finds the link in its own directory.
mount -t nydusd-ts layer.tar mnt -o ro,driver=fuse >log 2>&1 || fail "mount -t nydusd-ts: $(cat log)"
cmp tree/file mnt/file || fail "mount -t nydusd-ts shows something else"
umount mnt

# In the foreground, by a link that leads to another file later: who reads on notices neither a death nor the upgrade.
cp /usr/bin/nydusd-ts file/nydusd-ts-1
cp /usr/bin/nydusd-ts file/nydusd-ts-2
ln -s file/nydusd-ts-1 nydusd-ts
ln -s file/nydusd-ts-1 nydusctl-ts
./nydusd-ts fuse --bootstrap layer.boot --blob-dir "$work" --blob 1=layer.tar --mountpoint mnt --apisock api.sock --state-dir "$work/state" >log 2>&1 &
keeper=$!
becomes hello cat mnt/hello
exec 8<mnt/file
serving() { cat "/proc/$keeper/task/$keeper/children" | tr -d ' '; }
# serves BY NOT: one process serves, runs the file BY, and is another than NOT; STATFS is never answered from a cache
serves() {
  becomes yes sh -c '
    now=$(tr -d " " <"/proc/$1/task/$1/children")
    [ "$now" != "$3" ] && [ "$(readlink "/proc/$now/exe")" = "$2" ] && timeout 5 stat -f "$4" >/dev/null && echo yes' sh "$keeper" "$work/file/$1" "$2" mnt
}
serves nydusd-ts-1 ""
first=$(serving)
./nydusctl-ts -S api.sock info >info || fail "nydusctl-ts info: $(cat info)"
kill -KILL "$first"
serves nydusd-ts-1 "$first"
after=$(serving)
ln -sf file/nydusd-ts-2 nydusd-ts
kill -HUP "$keeper"
serves nydusd-ts-2 "$after"
cmp tree/file - <&8 || fail "who had it open lost it: $(cat log)"
exec 8<&-
diff -r tree mnt || fail "after all that it shows something else"
kill -TERM "$keeper"
wait "$keeper" || fail "ended with $?: $(cat log)"
becomes "" sh -c 'grep " $1 " /proc/self/mounts' sh "$mnt"

# What a stranger has made where it would unpack is not taken, whatever is in there.
mkdir -p stranger/nydusd-ts/parts
chown -R 4242 stranger/nydusd-ts
XDG_CACHE_HOME=$work/stranger TMPDIR=$work/tmp nydusd-ts fuse --bootstrap layer.boot --blob 1=layer.tar --mountpoint mnt >log 2>&1 &
keeper=$!
becomes hello cat mnt/hello
[ -z "$(find stranger -type f)" ] || fail "it unpacked into a stranger's directory: $(find stranger)"
! tr '\0' '\n' <"/proc/$keeper/cmdline" | grep -q stranger || fail "it runs a stranger's file"
kill -TERM "$keeper"
wait "$keeper" || fail "ended with $?: $(cat log)"

nydus-snapshotter-ts --root "$work/root" --address "$work/snapshotter.sock" >log 2>&1 &
snapshotter=$!
becomes yes sh -c 'grep -q "^ready " log && echo yes'
kill -TERM "$snapshotter"
wait "$snapshotter" || fail "nydus-snapshotter-ts ended with $?: $(cat log)"
snapshotter=''
[ "$(nydus-snapshotter-ts install --dry-run | sed -n 's/^ExecStart=//p')" = "/usr/bin/nydus-snapshotter-ts /usr/bin/nydus-snapshotter-ts" ] ||
  fail "install writes: $(nydus-snapshotter-ts install --dry-run)"

# Installed anew nothing is stopped. Purged, the snapshotter is, and no unit of the package stays enabled; one of the user's own does, and
# what is mounted. For a systemd this has one that only writes down what it is asked for.
mkdir -p /run/systemd/system /etc/systemd/system/multi-user.target.wants /etc/systemd/system/sockets.target.wants
cd /etc/systemd/system
ln -s /usr/lib/systemd/system/nydus-snapshotter-ts.socket sockets.target.wants
ln -s /lib/systemd/system/nydus-snapshotter-ts.service multi-user.target.wants
ln -s /usr/lib/systemd/system/nydusd-ts@.service 'multi-user.target.wants/nydusd-ts@an app.service'
ln -s /etc/systemd/system/nydusd-ts.service multi-user.target.wants
cd "$work"
printf '#!/bin/sh\necho "$*" >>"%s/asked"\n' "$work" >/usr/local/bin/systemctl
chmod +x /usr/local/bin/systemctl
dpkg --install "$1" >log 2>&1 || fail "dpkg --install, again: $(cat log)"
[ "$(uniq asked)" = daemon-reload ] || fail "installed again it asks systemd: $(cat asked)"
rm asked
nydusd-ts mount --driver fuse layer.tar mnt >log 2>&1 || fail "mount: $(cat log)"
dpkg --purge nydusd-ts >log 2>&1 || fail "dpkg --purge: $(cat log)"
grep -q '^still mounted' log && grep -q "^$mnt " log || fail "dpkg --purge does not say what is mounted: $(cat log)"
printf 'stop %s\n' nydus-snapshotter-ts.socket nydus-snapshotter-ts.service daemon-reload | sed 's/stop daemon/daemon/' >want
uniq asked | cmp want - || fail "dpkg --purge asks systemd: $(cat asked)"
diff -r tree mnt || fail "dpkg --purge took away what is mounted"
umount mnt
rm /usr/local/bin/systemctl
find /usr /etc -xdev -not -type d | sort | comm -13 "$work/before" - >left
[ "$(cat left)" = /etc/systemd/system/multi-user.target.wants/nydusd-ts.service ] || fail "dpkg --purge left: $(cat left)"
echo "installed, each name ran, $(grep -c ^ok doctor) parts of doctor ok, mounted by 5 ways, died, upgraded, removed"
