#!/bin/sh
# Shows the whole at work on this machine: embedded PostgreSQL, simulated ORCID Registry, the real service.
# Needs git's checkout, Python 3.11 or newer and, the first time, the network. Arguments go to `orcid-sync demo`.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/deploy/environment.sh"
prepare_environment embedded 30
exec "$environment/bin/orcid-sync" demo "$@"
