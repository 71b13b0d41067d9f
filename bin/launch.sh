# Read by the shell line of nydusd-ts.mjs, with its arguments. Runs it with Node: below a keeper when it is to serve a
# mount, by itself otherwise. The one compiler thread of V8 takes 5 MiB less than four.
#
#   $bundle  the directory of keeper.sh
#   $0       nydusd-ts.mjs

# Whether the arguments ask for a mount that this very process serves, and that is to go on when it dies. Each argument is
# compared as a whole: a name may have an option in it; one that is nothing but an option counts as that. The options are
# those of `isKept` in src/daemon/options-from-flags.ts. What goes to the background gets a keeper there.
is_kept() {
  case ${1-} in
  fuse) shift && stays=1 ;;
  -*) stays=1 ;; # fuse is the command that need not be named
  *) stays='' ;;
  esac
  for arg; do
    case $arg in
    --) break ;;
    -h | --help | -V | --version | --daemonize) return 1 ;;
    --no-keeper | --recover | --supervisor | --supervisor=* | --user | --user=*) return 1 ;;
    --foreground) stays=1 ;;
    esac
  done
  [ -n "$stays" ]
}

if is_kept "$@"; then exec sh "$bundle/keeper.sh" node --v8-pool-size=1 "$0" "$@"; fi
exec node --v8-pool-size=1 "$0" "$@"
