# Read by the shell line of nydusd-ts.mjs, with its arguments. Runs it with Node: below a keeper when it is to serve a
# mount, by itself otherwise. The one compiler thread of V8 takes 5 MiB less than four.
#
#   $bundle  the directory of keeper.sh
#   $0       nydusd-ts.mjs

# Whether the arguments ask for a mount that this very process serves, and that is to go on when it dies. Each argument is
# compared as a whole, and what an option takes is none, whatever it is called. The options are those of `isKept` in
# src/daemon/options-from-flags.ts, and all that take a value. What goes to the background gets a keeper there.
is_kept() {
  case ${1-} in
  fuse) shift && stays=1 ;;
  -*) stays=1 ;; # fuse is the command that need not be named
  *) stays='' ;;
  esac
  value=''
  for arg; do
    if [ -n "$value" ]; then
      value=''
      continue
    fi
    case $arg in
    --) break ;;
    -h | --help | -V | --version | --daemonize) return 1 ;;
    --no-keeper | --recover | --supervisor | --supervisor=* | --user | --user=*) return 1 ;;
    --foreground) stays=1 ;;
    -[ABCDLMlmo] | --apisock | --blob | --blob-dir | --bootstrap | --cache-dir | --config | --driver) value=1 ;;
    --failover-policy | --fuse-threads | --hung-after | --id | --localfs-dir | --log-file | --log-format) value=1 ;;
    --log-level | --log-rotation-size | --low-latency | --max-layer-size | --metrics-address) value=1 ;;
    --mountpoint | --options) value=1 ;;
    --pid-file | --platform | --prefetch | --prefetch-files | --prefetch-memory | --prefetch-rate | --push) value=1 ;;
    --ref | --rlimit-nofile | --rw | --state-dir | --thread-num | --trace | --transport) value=1 ;;
    --verity | --verity-key | --verity-tree | --virtual-mountpoint) value=1 ;;
    esac
  done
  [ -n "$stays" ]
}

if is_kept "$@"; then exec sh "$bundle/keeper.sh" node --v8-pool-size=1 "$0" "$@"; fi
exec node --v8-pool-size=1 "$0" "$@"
