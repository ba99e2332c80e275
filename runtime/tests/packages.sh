#!/bin/sh
# Installs what the tests of the runtime image need and the machine lacks (Debian, as root). Does nothing where all of it is there.
set -eu
if command -v musl-gcc >/dev/null && command -v cc >/dev/null && command -v strip >/dev/null; then exit 0; fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
apt-get -o DPkg::Lock::Timeout=300 install --yes --quiet --quiet --no-install-recommends gcc libc6-dev binutils musl-tools >/dev/null
