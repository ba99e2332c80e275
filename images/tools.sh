#!/bin/sh
# Installs what a stage of a Containerfile needs and its base lacks (Debian and its children, as root). Does nothing where all of it is there.
# `tools.sh python`: a Python that can make virtual environments. `tools.sh compiler`: also a C compiler with its static libc, and binutils.
set -eu
needed=""
python3 -c 'import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || needed="python3 python3-venv"
if [ "$1" = compiler ]; then
  for tool in cc strip ldd; do command -v "$tool" >/dev/null || needed="$needed gcc libc6-dev binutils libc-bin"; done
fi
if [ -z "$needed" ]; then exit 0; fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
# shellcheck disable=SC2086 # words are what is meant
apt-get install --yes --quiet --quiet --no-install-recommends $needed >/dev/null
rm -rf /var/lib/apt/lists/*
