#!/bin/sh
# Writes the lock files anew after a change of pyproject.toml; with --upgrade, also takes the newest versions of all.
#
# They are requirements files with hashes, not uv.lock or pylock.toml, because the pip that comes with every Python
# since 3.11 installs them, through whatever index or proxy it is configured for, and so does uv. Each holds for every
# platform and for Python 3.11 to 3.14, and is complete by itself:
#   runtime.txt      the service: the container
#   embedded.txt     runtime, the embedded PostgreSQL and the build backend: the demo
#   development.txt  all of this and the tools of the tests: tests/run.sh
#   build.txt        the build backend: the container's builder
# Needs uv, which is among the tools of the tests.
set -eu
cd "$(dirname "$0")/../.."

lock() { # name, what of pyproject.toml, more
    name=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command deploy/locks/renew.sh --output-file "deploy/locks/$name.txt" "$@"
}

# All of it first: its versions bind the others.
lock development pyproject.toml --extra embedded --extra parquet --group dev "$@"
same="--constraint deploy/locks/development.txt"
# shellcheck disable=SC2086 # two words
{
    lock runtime pyproject.toml $same "$@"
    lock embedded pyproject.toml --extra embedded --group build $same "$@"
    lock build --group build $same "$@"
}
