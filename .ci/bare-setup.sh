#!/usr/bin/env bash
# bare-setup.sh CLONE [npm-test]: what a newcomer on a bare Debian does first. The clone is moved below a path with
# blanks; then all that tests need is installed, and a few tests that need much of it are run; or all with npm-test.
set -euo pipefail
place="$(dirname "$1")/a newcomer's clones, №1/nydusd ts"
mkdir -p "$(dirname "$place")"
mv "$1" "$place"
trap 'rm -rf "$(dirname "$place")"' EXIT
cd "$place"
if [ "${2-}" = npm-test ]; then
  npm test
  exit
fi
node bin/setup.mjs --test 2>&1 | tee /tmp/setup
said=$(grep -E 'will fail|left out' /tmp/setup || true)
[ -z "$said" ] || { echo "the set-up lacks something: $said" && exit 1; }
PATH=$PWD/node_modules/.bin:$PATH
vitest run --config test/vitest.config.ts test/tar/source.test.ts test/structure test/mount/user.test.ts test/mount/tools.test.ts
echo "$(find /var/lib/dpkg/info -name '*.list' | wc -l) Debian packages, $(du -sm node_modules | cut -f1) MiB of node_modules"
