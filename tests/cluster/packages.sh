#!/usr/bin/env bash
# Installs what the container tests need and the machine lacks (Debian, as root). Does nothing where all of it is there.
set -euo pipefail
packages=(containerd runc containernetworking-plugins busybox-static iproute2)
if dpkg --status "${packages[@]}" >/dev/null 2>&1; then exit 0; fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
apt-get install --yes --quiet --quiet --no-install-recommends "${packages[@]}" >/dev/null
