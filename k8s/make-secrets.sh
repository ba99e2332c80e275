#!/bin/sh
# Makes the Secrets of a control plane that are not there yet, and leaves alone those that are. Values come from this machine's random source, pass through
# no file and no command line, and are printed nowhere. It needs kubectl and a Python that has osmo (PYTHON; by default the repository's own).
#
#   k8s/make-secrets.sh NAMESPACE            for overlays/dev: also a password for its PostgreSQL
#   k8s/make-secrets.sh NAMESPACE URL_FILE   for overlays/ha: the file holds the URL of your PostgreSQL, postgresql://user:password@host/database
set -eu
namespace=${1:?which namespace}
url_file=${2:-}

python=${PYTHON:-$(dirname "$0")/../.venv/bin/python}

random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# name, then key=value lines on stdin
secret() {
  if kubectl --namespace "$namespace" get secret "$1" --output name >/dev/null 2>&1; then
    echo "secret/$1 is there"
    return
  fi
  {
    printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: %s\nstringData:\n' "$1" "$namespace"
    sed 's/^\([^=]*\)=\(.*\)$/  \1: "\2"/'
  } | kubectl create --filename -
}

kubectl get namespace "$namespace" --output name >/dev/null 2>&1 || kubectl create namespace "$namespace"

# The tokens of tasks, and what credentials are encrypted with. Without a copy of the second, elsewhere, all credentials hang on this one Secret.
printf 'task.key=%s\ncredential.key=%s\n' "$(random)" "$(random)" | secret osmo-keys
# A letter first: nats-server would take 12e4... for a number. The issuer's seed is the gateway's, its public half nats-server's.
{
  printf 'password=p%s\nroute-password=p%s\n' "$(random)" "$(random)"
  "$python" -c '
from osmo_eventlog.nats.callout import Issuer, new_issuer_seed
seed = new_issuer_seed()
print(f"issuer.seed={seed}\nissuer={Issuer(seed).public}")'
} | secret osmo-nats
if [ -n "$url_file" ]; then
  printf 'url=%s\n' "$(cat "$url_file")" | secret osmo-database
else
  password=$(random)
  printf 'password=%s\nurl=postgresql://osmo:%s@postgres/osmo\n' "$password" "$password" | secret osmo-database
fi
