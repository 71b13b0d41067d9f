#!/bin/sh
# bare-systemd.sh FILE.tgz: installs the package on a Debian with systemd and boots it, as the first process of namespaces
# of its own. A service of it runs this file again, which tries what docs/mount.md and docs/systemd say, and writes what
# came of it beside FILE.tgz, to systemd.result: "ok" in the last line.
set -eu
here=$(dirname "$1")
# What is told is told to whoever waits, and in the result.
say() { echo "$*" >>"$here/systemd.result"; }

if [ $$ = 1 ]; then
  : >"$here/systemd.result"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -qq --no-install-recommends systemd systemd-sysv dbus fuse3 rsyslog procps; } >/tmp/apt 2>&1 ||
    { cat /tmp/apt && exit 1; }
  npm install --global "$1" >/tmp/npm 2>&1 || { cat /tmp/npm && exit 1; }
  ln -s "$(command -v nydusd-ts)" "$(command -v nydusctl-ts)" "$(command -v nydus-image-ts)" /usr/bin/
  cp "$0" /usr/local/sbin/try

  mkdir -p /srv/layers /mnt/line /mnt/late /mnt/unit /mnt/save /mnt/one /etc/nydusd-ts
  head -c 300000 /dev/urandom >/srv/file
  tar -C /srv -cf /srv/app.tar file
  nydus-image-ts create /srv/app.tar -B /srv/app.boot -D /srv/layers >/dev/null
  automount=
  # Where the kernel has none, one in fstab ends in the emergency mode.
  if [ -e /dev/autofs ]; then automount=,x-systemd.automount,x-systemd.idle-timeout=1min; fi
  cat >/etc/fstab <<END
/srv/app.tar /mnt/line fuse.nydusd-ts ro,nofail,x-systemd.requires-mounts-for=/srv 0 0
/srv/app.tar /mnt/late fuse.nydusd-ts ro,noauto,driver=fuse$automount 0 0
END
  cat >/etc/systemd/system/mnt-unit.mount <<END
[Unit]
Description=an image by a unit of its own
[Mount]
What=/srv/app.tar
Where=/mnt/unit
Type=fuse.nydusd-ts
Options=ro,driver=fuse
[Install]
WantedBy=multi-user.target
END
  docs=$(npm root --global)/nydusd-ts/docs/systemd
  cp "$docs"/*.service /etc/systemd/system/
  cat >/etc/nydusd-ts/one.env <<END
MOUNTPOINT=/mnt/one
ARGS=--bootstrap /srv/app.boot --blob-dir /srv/layers
END
  cat >/etc/systemd/system/try.service <<END
[Unit]
Wants=multi-user.target
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /usr/local/sbin/try $1
ExecStopPost=/bin/systemctl --no-block poweroff
END
  # Nobody is there to mend what the emergency mode is for.
  cat >/etc/systemd/system/emergency.service <<END
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/sh /usr/local/sbin/try $1 emergency
ExecStopPost=/bin/systemctl --force --no-block poweroff
END
  systemctl -q enable mnt-unit.mount nydusd-ts.service nydusd-ts@one.service

  cat >/srv/config.json <<END
{ "version": 2, "backend": { "type": "localfs", "localfs": { "dir": "/srv/layers" } } }
END
  # The last that systemd runs: nothing of ours may be there then.
  cat >/usr/lib/systemd/system-shutdown/try <<END
#!/bin/sh
{ grep -E 'nydusd-ts|erofs' /proc/mounts && echo these were left; } >>/dev/result/systemd.result
END
  chmod +x /usr/lib/systemd/system-shutdown/try

  # Devices and cgroups of its own: it must not touch those of the machine.
  mkdir /tmp/dev
  mount -t tmpfs -o mode=755 none /tmp/dev
  mkdir /tmp/dev/pts /tmp/dev/shm /tmp/dev/result
  mount --bind "$here" /tmp/dev/result # here systemd leaves it to the end
  for name in null zero full random urandom tty fuse autofs loop-control; do
    if [ -e "/dev/$name" ]; then cp -a "/dev/$name" /tmp/dev/; fi
  done
  ln -s /proc/self/fd /tmp/dev/fd
  mount --rbind /tmp/dev /dev
  mount -t devpts -o newinstance,ptmxmode=666 none /dev/pts
  ln -s pts/ptmx /dev/ptmx
  mount -t tmpfs none /dev/shm
  mount -t tmpfs -o mode=755 none /run
  mount -o remount,bind,ro /sys
  mount -t cgroup2 none /sys/fs/cgroup
  mount --make-rshared / # as systemd does on a machine: services of mount namespaces of their own must see an umount
  exec env container=ci /lib/systemd/systemd --system --unit=try.service </dev/null
fi


# fails WORDS: what is wrong, and what systemd knows of it
fails() {
  say "$*"
  { systemctl --failed --no-pager && journalctl --boot --no-pager --lines 40 && grep -E 'erofs|fuse|autofs' /proc/mounts && ps -ef; } >>"$here/systemd.result" 2>&1
  exit 1
}
# becomes WANT COMMAND…: what it prints, soon
becomes() {
  want=$1
  shift
  for _ in $(seq 600); do
    if got=$("$@" 2>&1) || true && [ "$got" = "$want" ]; then return; fi
    sleep 0.1
  done
  fails "$*: \"$got\", want \"$want\""
}
state() { becomes "$2" systemctl show --property ActiveState --value "$1"; }
shows() { cmp /srv/file "$1/file" || fails "$1 shows something else"; }
gone() { becomes "" findmnt --noheadings --types fuse.nydusd-ts,erofs "$1"; }
# told IDENTIFIER WORDS: it is in the journal
told() { becomes yes sh -c 'journalctl --boot -q -o cat -t "$1" | grep -qF -- "$2" && echo yes' sh "$@"; }

if [ "${2-}" = emergency ]; then fails "systemd came no further than its emergency mode"; fi

state try.service activating
for unit in mnt-line.mount mnt-unit.mount nydusd-ts.service nydusd-ts@one.service; do state $unit active; done
becomes "" systemctl list-units --failed --no-legend --plain 'nydusd-ts*' 'mnt-*'

# Of fstab, by whatever driver; a unit of its own, by FUSE; one that is mounted when somebody looks.
without=
if [ ! -e /dev/autofs ]; then
  without=", without an automount: this kernel has no autofs"
  systemctl start mnt-late.mount
fi
for where in /mnt/line /mnt/unit /mnt/one /mnt/late; do shows $where; done
for where in /mnt/line /mnt/unit /mnt/late; do
  becomes /srv/app.tar findmnt --noheadings --output SOURCE --types fuse.nydusd-ts,erofs $where
done
state mnt-late.mount active
nydusd-ts ls | grep -q ^/mnt/unit || fails "nydusd-ts ls does not list /mnt/unit: $(nydusd-ts ls)"
say "mounted by fstab, a unit, an automount and two services$without"

# The journal has the log of who serves, whoever started it, also when the journal came again.
told mount "mountpoint=/mnt/unit"
told mount "log=journal"
told nydusd-ts "transport direct"
systemctl restart systemd-journald
systemctl stop mnt-unit.mount
told nydusd-ts "/mnt/unit: unmounted"
say "the journal has their logs"

state mnt-unit.mount inactive
gone /mnt/unit
systemctl start mnt-unit.mount
shows /mnt/unit
umount /mnt/unit
state mnt-unit.mount inactive
systemctl start mnt-unit.mount
shows /mnt/unit
systemctl daemon-reload
systemctl restart mnt-line.mount mnt-late.mount
shows /mnt/line
shows /mnt/late
say "stopped, unmounted by hand, started and restarted"

# Who reads on notices neither a handover nor a death.
ctl="nydusctl-ts -S /run/nydusd-ts/api.sock"
$ctl mount -s /srv/app.boot -m /app -c /srv/config.json || fails "the API mounts nothing"
exec 8</mnt/one/file 9</var/lib/nydusd-ts/app/file
property() { systemctl show --property "$2" --value "$1"; }
# One process serves, and is another one than $2; STATFS is never answered from a cache.
serves() {
  becomes yes sh -c '
    children=$(pgrep -P "$(systemctl show --property MainPID --value "$1")")
    [ "$children" != "$2" ] && [ "$(echo "$children" | wc -w)" = 1 ] && stat -f "$3" >/dev/null && echo yes' sh "$@"
}
for each in nydusd-ts:/var/lib/nydusd-ts nydusd-ts@one:/mnt/one; do
  unit=${each%:*} where=${each#*:}
  serving=$(pgrep -P "$(property $unit MainPID)")
  systemctl reload $unit
  serves $unit "$serving" "$where"
  serving=$(pgrep -P "$(property $unit MainPID)")
  kill -KILL "$serving"
  serves $unit "$serving" "$where"
  keeper=$(property $unit MainPID) serving=$(pgrep -P "$(property $unit MainPID)")
  kill -KILL "$keeper"
  becomes yes sh -c '[ "$(systemctl show --property MainPID --value "$1")" -gt "$2" ] && echo yes' sh $unit "$keeper"
  state $unit active
  serves $unit "$serving" "$where"
done
shows /mnt/one
shows /var/lib/nydusd-ts/app
cmp /srv/file - <&8 || fails "/mnt/one was gone for who had it open"
cmp /srv/file - <&9 || fails "/var/lib/nydusd-ts/app was gone for who had it open"
exec 8<&- 9<&-
systemctl stop nydusd-ts@one
gone /mnt/one
becomes "" pgrep -f /mnt/one
systemctl start nydusd-ts@one
shows /mnt/one
say "services reloaded, killed and stopped"

# Without a journal: syslog, as rsyslog takes it by itself.
mkdir /tmp/syslog
cat >/tmp/syslog/conf <<END
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="/tmp/syslog/log")
*.* /tmp/syslog/messages
END
rsyslogd -f /tmp/syslog/conf -i /tmp/syslog/pid
unshare --mount sh -euc '
  mount -t tmpfs none /run/systemd/journal
  ln -sf /tmp/syslog/log /dev/log
  nydusd-ts mount --driver fuse /srv/app.tar /mnt/save >/tmp/syslog/ready 2>&1
  cmp /srv/file /mnt/save/file
  nydusd-ts umount /mnt/save' || fails "without a journal: $(cat /tmp/syslog/ready)"
ln -sf /run/systemd/journal/dev-log /dev/log
grep -q log=syslog /tmp/syslog/ready || fails "no syslog: $(cat /tmp/syslog/ready)"
becomes yes sh -c 'grep -q "nydusd-ts.*/mnt/save: unmounted" /tmp/syslog/messages && echo yes'
say "syslog has a log"

# The end: somebody is inside, and all is unmounted in its turn.
tail -f /mnt/unit/file >/dev/null 2>&1 &
say "ok: $(journalctl --boot -q -o cat _PID=1 | grep -c .) lines of systemd$(systemd-analyze 2>/dev/null | sed -n "1s/^/, /p")$without"
