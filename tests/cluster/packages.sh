#!/bin/sh
# What the container tests need.
set -eu
exec sh "$(dirname "$0")/../apt.sh" containerd runc containernetworking-plugins busybox-static iproute2
