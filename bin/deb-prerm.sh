#!/bin/sh
# prerm of the Debian package: on removal the snapshotter ends, which would be started for ever without its program, and no unit of the
# package stays enabled. What is mounted stays, served by processes that go on without their file.
set -e
[ "$1" = remove ] || exit 0

# A unit in /etc is somebody's own, of another installation.
for unit in nydus-snapshotter-ts.socket nydus-snapshotter-ts.service; do
  if [ -d /run/systemd/system ] && [ ! -e "/etc/systemd/system/$unit" ]; then systemctl stop "$unit" || true; fi
done
for link in /etc/systemd/system/*.wants/nydus*; do
  case $(readlink "$link" || true) in
  /lib/systemd/system/nydus* | /usr/lib/systemd/system/nydus*) rm -f "$link" ;;
  esac
done

mounted=$(timeout 30 /usr/bin/nydusd-ts ls 2>/dev/null || true)
[ -z "$mounted" ] || printf 'still mounted, see umount(8):\n%s\n' "$mounted"
