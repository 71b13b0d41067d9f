#!/bin/sh
# Engines of containers: taken from Debian's packages into .cache/tools, nothing is installed. Takes milliseconds when they are
# there. What is of Debian 12 has a libc that is older than that of any machine of ours.
#   engines/trixie engines/sid  containerd as two later Debians have it: each with ctr and the shim, which must be the first one in PATH
#   engines/bin                 runc and a static busybox of Debian 12, for images
#   engines/docker              dockerd, docker and its buildx of sid
#   engines/others              podman, buildah, crun, bubblewrap and systemd-nspawn of Debian 12, and libraries that they need
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
engines=$root/.cache/tools/engines
say() { echo "nydusd-ts: $*" >&2; }
fail() {
  say "$*, so these are not tested: $wanted"
  exit 0
}

wanted=
[ -e "$engines/complete" ] || wanted=containerd
[ -d "$engines/docker" ] || wanted="$wanted docker"
[ -d "$engines/others" ] || wanted="$wanted others"
[ -n "$wanted" ] || exit 0
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

# take PACKAGE/SUITE DIRECTORY PATH…: files of a package; a PATH may have wildcards
take() {
  package=$1
  to=$work/engines/$2
  shift 2
  rm -f "$work"/debs/*
  (cd "$work/debs" && apt download "$package")
  dpkg-deb -x "$work"/debs/*.deb "$work/unpacked"
  mkdir -p "$to"
  # shellcheck disable=SC2086 # wildcards
  for path; do mv "$work/unpacked"/$path "$to"; done
  rm -rf "$work/unpacked"
}
take_containerd() {
  for suite in trixie sid; do
    take "containerd/$suite" "$suite" usr/bin/containerd usr/bin/ctr usr/bin/containerd-shim-runc-v2
  done
  take runc/bookworm bin usr/sbin/runc
  take busybox-static/bookworm bin bin/busybox
  touch "$work/engines/complete"
}
take_docker() {
  take docker.io/sid docker usr/sbin/dockerd
  take docker-cli/sid docker usr/bin/docker
  take docker-buildx/sid docker/cli-plugins usr/libexec/docker/cli-plugins/docker-buildx
}
take_others() {
  take podman/bookworm others usr/bin/podman
  take conmon/bookworm others usr/bin/conmon
  take buildah/bookworm others usr/bin/buildah
  take crun/bookworm others usr/bin/crun
  take bubblewrap/bookworm others usr/bin/bwrap
  take systemd-container/bookworm others usr/bin/systemd-nspawn
  take libsystemd-shared/bookworm others/lib 'usr/lib/*/systemd/libsystemd-shared-*.so'
  take libsubid4/bookworm others/lib 'usr/lib/*/libsubid.so.*'
  take libyajl2/bookworm others/lib 'usr/lib/*/libyajl.so.*'
}
# In a shell of its own: it is cut short by whatever fails.
take_set() (
  set -eux
  rm -rf "$work/engines"
  mkdir "$work/engines"
  "take_$1"
  # Under its name when it is whole; the marker of the first set last.
  mkdir -p "$engines"
  for made in "$work/engines"/*/; do
    name=$(basename "$made")
    rm -rf "${engines:?}/$name" "$engines/$name.new"
    cp -r "$made" "$engines/$name.new"
    mv "$engines/$name.new" "$engines/$name"
  done
  [ ! -e "$work/engines/complete" ] || cp "$work/engines/complete" "$engines"
)

say "taking from Debian's packages: $wanted"
log=$root/.cache/engines.log
mkdir -p "$root/.cache/tools"
apt update >"$log" 2>&1 || fail "Debian's lists of packages could not be had: see $log"
missing=
for set in $wanted; do
  set +e # a test of its status would switch -e off inside, too
  take_set "$set" >>"$log" 2>&1
  status=$?
  set -e
  [ $status = 0 ] || missing="$missing $set"
done
wanted=$missing
[ -z "$missing" ] || fail "Debian's packages could not all be had: see $log"
