#!/bin/sh
# Holds the FUSE device while programs that serve it come and go, and starts the next one when one dies.
#
#   keeper.sh PROGRAM ARG…
#
# A shell, because it must outlive everything that can go wrong with Node, and takes 2 MB. It never reads the device.
# What a child tells it:                 What it tells a child:
#   USR1  serving: a death matters now     NYDUSD_TS_ROLE     first, after (one that died), next (to one that serves),
#   USR2  start the next one beside me                        refuse (answer EIO), clear (unmount)
#   ALRM  end the next one                 NYDUSD_TS_KEEPER   its own pid
#                                          NYDUSD_TS_DEVICE   descriptor of the device
#   exit 64+n  done, with status n         NYDUSD_TS_CRASHES  how many died so far
#   exit 80    the next one serves         NYDUSD_TS_LAST     exit status of the last that did

# Deaths in a row, each before a quarter of a second of service. From the fourth on the next start waits, seconds;
# after the last of these there is none but to answer EIO.
DELAYS="0 0 0 0.05 0.1 0.2 0.4 0.8 1.6 3 5 5"
MOST=12

# Of a keeper before this one. What is run below has only what this program knows: whoever starts it may have set anything.
device='' role=first
case ${NYDUSD_TS_ROLE:-} in
after | next | refuse | clear)
  role=$NYDUSD_TS_ROLE
  case ${NYDUSD_TS_DEVICE:-} in *[!0-9]*) ;; *) device=${NYDUSD_TS_DEVICE:-} ;; esac
  ;;
esac
stdio='' child='' next='' last='' status=0 crashes=0 strikes=0 armed='' stopping='' caught='' command='' held='' hung=''

# Adds $1 to $command, for eval: in a trap "$@" belongs to the function that was interrupted.
quote() {
  rest=$1 quoted=''
  while :; do
    case $rest in
    *\'*) quoted="$quoted${rest%%\'*}'\\''" rest=${rest#*\'} ;;
    *) break ;;
    esac
  done
  command="$command '$quoted$rest'"
}

# start ROLE: its pid is $!
start() {
  env="NYDUSD_TS_ROLE=$1 NYDUSD_TS_KEEPER=$$ NYDUSD_TS_DEVICE=$device NYDUSD_TS_CRASHES=$crashes NYDUSD_TS_LAST=$last"
  eval "$env $command $stdio &"
}

alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }
tell() { [ -n "$2" ] && kill "-$1" "$2" 2>/dev/null; }

# What the kernel says of process $1, its state first: T is stopped, Z has ended.
stat_of() { read -r stat 2>/dev/null <"/proc/$1/stat" && stat=${stat##*") "}; }

# Whether $1 is a child of this shell still: one that has ended was waited for meanwhile, and its number may be another's.
own() {
  { [ -n "$1" ] && stat_of "$1"; } || return 1
  case $stat in
  Z*) return 1 ;;
  ?" $$ "*) return 0 ;;
  esac
  return 1
}
end_next() {
  own "$next" && tell KILL "$next"
  next=''
}

# Holds the fifo by which others know that the session lives (alive.ts), until this shell ends. The child has the directory
# open that it is in, and has named it for this shell, by its pid and when it began. A fast one tells before its pid is noted.
hold() {
  { [ -z "$held" ] && stat_of $$; } || return 0
  # shellcheck disable=SC2086 # fields
  set -- $stat
  for alive in ${NYDUSD_TS_STATE:+"$NYDUSD_TS_STATE.alive"} "/proc/${child:-$!}/fd"/*/"$$-${20}.alive"; do
    if [ -p "$alive" ] && free; then
      eval "exec $fd<>\"\$alive\"" && held=1
      return 0
    fi
  done
}

# The child serves, and has for a while.
well() {
  armed=1 strikes=0
  hold
  # The command that started this in the background waits for nothing more.
  case ${NODE_CHANNEL_FD:-} in
  [3-9])
    eval "exec $NODE_CHANNEL_FD>&-"
    unset NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE
    ;;
  esac
}

begin_next() {
  armed=1 # bash loses a USR1 that comes together with this signal
  end_next
  start next
  next=$!
}

# A child that has ended, though nobody has waited for it yet, hears nothing: the one that is beside it is told.
hang_up() {
  caught=1
  if own "$child"; then tell HUP "$child"; else hung=1; fi
}

# Told to stop: once more than once, and at once the third time.
stop() {
  caught=1
  case $stopping in
  '') stopping=1 ;;
  1) stopping=2 ;;
  2) stopping=3 ;;
  esac
  tell "$1" "$child"
}

# Told to stop twice, $child has no more time than it takes itself when all is well, and none when it is stopped.
insist() {
  n=70
  while stat_of "$child" && [ "$stopping" = 2 ] && [ $n -gt 0 ]; do
    case $stat in
    Z*) return ;;
    T* | t*) break ;;
    esac
    sleep 0.1
    n=$((n - 1))
  done
  tell KILL "$child" # has its number until it was waited for
}

# Waits for $child, whatever interrupts that, and sets $status.
await() {
  while :; do
    case $stopping in 2 | 3) insist ;; esac
    caught=''
    wait "$child" 2>/dev/null
    status=$?
    [ -z "$caught" ] && return
    alive "$child" && continue
    # It ended while a trap ran: either this was its status already, or now it can be had.
    caught=$status
    wait "$child" 2>/dev/null
    status=$?
    [ "$status" = 127 ] && status=$caught
    return
  done
}

# pause N: as long as comes after N deaths in a row
pause() {
  n=$1
  for delay in $DELAYS; do
    n=$((n - 1))
    [ $n -le 0 ] && break
  done
  [ "$delay" = 0 ] || sleep "$delay"
}

# What becomes of the mount when $child ended: $role is that of the next child.
judge() {
  if [ "$status" -ge 64 ] && [ "$status" -le 79 ]; then
    end_next
    exit $((status - 64))
  fi
  role=after
  [ "$status" = 80 ] && return
  [ -z "$armed" ] && exit "$status"
  crashes=$((crashes + 1)) strikes=$((strikes + 1)) last=$status
  if [ "$stopping" = clear ] || [ $strikes -gt $((MOST + 3)) ]; then exit 1; fi
  [ $strikes -ge $MOST ] && role=refuse
  [ -n "$stopping" ] && role=clear stopping=clear
}

# Finds a number for a descriptor: what is open may be what a path on the command line means. Not every shell knows numbers
# of two digits.
free() {
  for fd in 9 8 7 6 5 4 3 ${BASH_VERSION:+10 11 12 13 14 15 16 17 18 19}; do
    [ -e "/proc/self/fd/$fd" ] || return 0
  done
  return 1
}

# Opens the device, and puts stdin and stderr aside: a command in the background would have no stdin.
open_all() {
  [ -e /proc/self/fd/0 ] || exec </dev/null
  [ -e /proc/self/fd/1 ] || exec >/dev/null
  [ -e /proc/self/fd/2 ] || exec 2>/dev/null
  # <> on what is not there would make a file.
  if [ -z "$device" ] && [ -c /dev/fuse ] && [ -r /dev/fuse ] && [ -w /dev/fuse ] && free; then
    eval "command exec $fd<>/dev/fuse" && device=$fd
  fi
  if free; then
    eval "exec $fd<&0"
    stdio="<&$fd $fd<&-"
  fi
  # bash says whenever it learns that one was killed.
  if [ -n "${BASH_VERSION:-}" ] && free; then
    eval "exec $fd>&2 2>/dev/null"
    stdio="$stdio 2>&$fd $fd>&-"
  fi
}

# Where there are not enough, bash has more.
more() {
  n=0
  for fd in 3 4 5 6 7 8 9; do [ -e "/proc/self/fd/$fd" ] || n=$((n + 1)); done
  [ $n -lt 2 ] && [ -z "${BASH_VERSION:-}" ] && command -v bash >/dev/null
}

keep() {
  if more; then exec bash "$0" "$@"; fi
  open_all
  trap 'stop TERM' TERM
  trap 'stop INT' INT
  trap hang_up HUP
  trap 'caught=1; well' USR1
  trap 'caught=1; begin_next' USR2
  trap 'caught=1; end_next' ALRM
  trap '' PIPE
  for arg; do quote "$arg"; done
  while :; do
    start "$role"
    child=$!
    # Since the one before it had ended there was nobody to tell.
    case $stopping in 1 | 2 | 3) tell TERM "$child" ;; esac
    while :; do
      await
      judge
      # One that took over may have ended first: how, is what counts.
      { [ "$status" = 80 ] && [ -n "$next" ]; } || own "$next" || break
      child=$next next=''
      # The one before it may have been beyond hearing.
      [ -n "$stopping" ] && tell TERM "$child"
      [ -n "$hung" ] && tell HUP "$child"
      hung=''
    done
    next='' hung='' # the next one is of the version that is installed now
    pause "$strikes"
  done
}

keep "$@"
