#!/bin/sh
# containerd as two later Debians have it, runc, and a static busybox for images: taken from their packages into .cache/tools,
# nothing is installed. Takes milliseconds when they are there.
#   engines/trixie engines/sid  each containerd, ctr and the shim, which must be the first one in PATH
#   engines/bin                 runc and busybox of Debian 12: its libc is older than that of any machine of ours
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
engines=$root/.cache/tools/engines
say() { echo "nydusd-ts: $*" >&2; }
fail() {
  say "$*, so containerd is not tested"
  exit 0
}

[ -e "$engines/complete" ] && exit 0
for program in apt-get dpkg-deb; do
  command -v "$program" >/dev/null || fail "no $program to take containerd's packages with"
done
archive=$(sh "$root/test/debian-archive.sh")
[ -n "$archive" ] || fail "apt-get knows no Debian archive to take containerd from"
uri=${archive%% *}
keyring=$(sed -n 's/.*[Ss]igned-[Bb]y[:=] *\(\/[^] ,]*\).*/\1/p' "${archive#* }" | head -n 1)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # apt downloads as a user of its own
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/debs"
if [ "$(id -u)" = 0 ]; then chown _apt "$work/debs"; fi
for suite in bookworm trixie sid; do
  echo "deb [check-valid-until=no${keyring:+ signed-by=$keyring}] $uri $suite main"
done >"$work/sources.list"
apt() {
  apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists" \
    -o Dir::Cache="$work" -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
}

# take PACKAGE/SUITE DIRECTORY PATH…: programs of a package
take() {
  package=$1
  to=$work/engines/$2
  shift 2
  rm -f "$work"/debs/*
  (cd "$work/debs" && apt download "$package")
  dpkg-deb -x "$work"/debs/*.deb "$work/unpacked"
  mkdir -p "$to"
  for path; do mv "$work/unpacked/$path" "$to"; done
  rm -rf "$work/unpacked"
}
take_all() (
  set -eux
  apt update
  for suite in trixie sid; do
    take "containerd/$suite" "$suite" usr/bin/containerd usr/bin/ctr usr/bin/containerd-shim-runc-v2
  done
  take runc/bookworm bin usr/sbin/runc
  take busybox-static/bookworm bin bin/busybox
  touch "$work/engines/complete"
)

say "taking containerd of trixie and sid, and runc, from Debian's packages"
log=$root/.cache/engines.log
mkdir -p "${engines%/*}"
set +e # a test of its status would switch -e off inside, too
take_all >"$log" 2>&1
status=$?
set -e
[ $status = 0 ] || fail "Debian's packages of containerd and runc could not be had: see $log"
rm -rf "$engines"
cp -r "$work/engines" "$engines.new"
mv "$engines.new" "$engines"
