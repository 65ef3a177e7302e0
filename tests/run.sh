#!/bin/sh
# Everything that must hold before a change is kept. Needs git's checkout and Python 3.11 or newer.
set -eu

usage() {
    cat <<'END'
tests/run.sh             all checks, then all tests:
                         ruff check, ruff format --check, mypy --strict, import contracts, pytest
tests/run.sh ARGUMENT…   only pytest, with these arguments:
                         tests/run.sh tests/unit -k ids
                         tests/run.sh tests --durations 20

The tools and the libraries are installed from deploy/locks/development.txt into an environment below
$XDG_CACHE_HOME (or ~/.cache; root: /var/cache), which is kept until the lock file changes.
PYTHON=/path/to/python3 chooses the Python (3.11 or newer). ORCID_SYNC_TEST_DATABASE_URL, the address
of a PostgreSQL (15 or newer) as a superuser, has the tests make their databases there.
END
}

case ${1:-} in -h | --help)
    usage
    exit ;;
esac

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/deploy/environment.sh"
prepare_environment development 45
cd "$root"

# What the tools remember is kept beside the environment: the checkout may be somebody else's.
memory=$environment/memory
export RUFF_CACHE_DIR="$memory/ruff" MYPY_CACHE_DIR="$memory/mypy" HYPOTHESIS_STORAGE_DIRECTORY="$memory/hypothesis"

run() {
    printf '\n== %s\n' "$*"
    tool=$1
    shift
    "$environment/bin/$tool" "$@"
}

if [ $# = 0 ]; then
    run ruff check .
    run ruff format --check .
    run mypy --strict -p orcid_sync
    run lint-imports --cache-dir "$memory/import-linter"
    # Each worker has a PostgreSQL of its own.
    # The tests mostly wait, for PostgreSQL and for processes: twice as many workers as cores are no slower each.
    PYTEST_XDIST_AUTO_NUM_WORKERS=${PYTEST_XDIST_AUTO_NUM_WORKERS:-$((2 * $(getconf _NPROCESSORS_ONLN)))}
    export PYTEST_XDIST_AUTO_NUM_WORKERS
    set -- --numprocesses auto --maxprocesses 8 --dist worksteal
fi
run pytest -o cache_dir="$memory/pytest" "$@"
