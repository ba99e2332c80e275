#!/bin/sh
# Installs those of the named Debian packages that the machine lacks (as root). Does nothing where all are there. Whoever else installs meanwhile is waited for.
set -eu
if dpkg --status "$@" >/dev/null 2>&1; then exit 0; fi
exec 9>/tmp/osmo-tests-apt.lock
flock 9
if dpkg --status "$@" >/dev/null 2>&1; then exit 0; fi
export DEBIAN_FRONTEND=noninteractive
tries=0
# apt-get has an option to wait for dpkg's lock, and none for that of its lists.
until said=$(apt-get update --quiet --quiet 2>&1); do
  tries=$((tries + 1))
  case "$said" in *lock*) ;; *) tries=1000 ;; esac
  if [ "$tries" -ge 150 ]; then
    echo "$said" >&2
    exit 1
  fi
  sleep 2
done
apt-get -o DPkg::Lock::Timeout=300 install --yes --quiet --quiet --no-install-recommends "$@" >/dev/null
