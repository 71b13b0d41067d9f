#!/bin/sh
# Debian's main archive as this machine reaches it: "URI FILE", the file being one of apt's sources, of whatever form.
# Nothing where apt knows none.
set -eu
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-none}")
archive() {
  # shellcheck disable=SC2016 # apt's own words
  apt-get indextargets --format '$(REPO_URI) $(SOURCESENTRY)' \
    'Identifier: Packages' 'Origin: Debian' 'Component: main' "Codename: $codename" | sed 's/:[0-9]*$//' | head -n 1
}
found=$(archive)
# It knows them by its lists.
if [ -z "$found" ] && [ "$(id -u)" = 0 ]; then
  apt-get update -qq >&2 || true
  found=$(archive)
fi
[ -z "$found" ] || echo "$found"
