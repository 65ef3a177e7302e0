# shellcheck shell=sh
# Sourced by deploy/demo.sh and tests/run.sh: a Python environment of their own, from a lock file, made on first use.
#
#   prepare_environment <name> <seconds>
#
# leaves in $environment the folder of an environment in which the packages of deploy/locks/<name>.txt and this checkout
# (editable) are installed. It is made anew whenever that lock file or the Python has changed. Nothing is written
# into the checkout, whose folder must be in $root.
: "${root:?}"

give_up() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The first Python that will do, in $python. PYTHON names another one.
find_python() {
    lame=
    for candidate in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3 python}; do
        # A name may be there and not work (pyenv's shims), or work and be too old; one may lack venv (Debian's).
        python=$("$candidate" -c 'import sys; sys.version_info >= (3, 11) and print(sys.executable)' 2>/dev/null) || continue
        [ -n "$python" ] || continue
        "$python" -c 'import ensurepip, venv; ensurepip.version()' >/dev/null 2>/dev/null && return
        lame=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    done
    [ -z "$lame" ] || give_up "This $lame cannot make environments: install its venv module (Debian, Ubuntu: apt install $lame-venv), or name another Python by PYTHON=/path/to/python3."
    [ -z "${PYTHON:-}" ] || give_up "PYTHON=$PYTHON is not a Python 3.11 or newer that works."
    give_up "No Python 3.11 or newer was found: install one, or name it by PYTHON=/path/to/python3."
}

find_cache() {
    # Not below root's home, which is closed to the user whom root has the embedded PostgreSQL run as: PostgreSQL refuses
    # to run as root.
    if [ "$(id -u)" = 0 ]; then
        cache=${XDG_CACHE_HOME:-/var/cache}/orcid-sync
    else
        cache=${XDG_CACHE_HOME:-${HOME:-/nowhere}/.cache}/orcid-sync
    fi
    # shellcheck disable=SC2174 # the folders above it are not ours
    mkdir -p -m 755 "$cache" 2>/dev/null || :
    [ -w "$cache" ] || give_up "Cannot write to $cache: set XDG_CACHE_HOME to a folder of your own."
}

prepare_environment() {
    lock=$root/deploy/locks/$1.txt
    find_python
    find_cache
    environment=$cache/$1-$(printf '%s' "$root" | cksum | cut -d ' ' -f 1)
    fingerprint=$({ echo "$python" && "$python" --version && cat "$lock" && grep "^orcid-sync = " "$root/pyproject.toml"; } | cksum)
    ! is_ready || return 0
    echo "Setting up a Python environment in $environment; this takes about $2 seconds the first time."
    make_environment
}

is_ready() {
    [ "$(cat "$environment/fingerprint" 2>/dev/null)" = "$fingerprint" ]
}

# Made beside its place and put there by one rename, so that neither an interruption nor a second run breaks it.
make_environment() {
    mask=$(umask)
    [ "$(id -u)" != 0 ] || umask 022 # for the user whom root has the embedded PostgreSQL run as
    made=$environment.$$ log=$environment.log
    trap 'rm -rf "$made" "$made.link"' EXIT
    trap 'exit 130' INT TERM HUP
    "$python" -m venv "$made" >"$log" 2>&1 || explain_failure
    # Wheels only: the hashes are to cover everything that runs, and no compiler is to be needed.
    install --require-hashes --only-binary :all: --requirement "$lock" || explain_failure
    install --no-deps --no-build-isolation --editable "$root" || explain_failure
    echo "$fingerprint" >"$made/fingerprint"
    if is_ready; then
        rm -rf "$made" # another run was faster
    else
        old=$(readlink "$environment" || :)
        ln -s "$made" "$made.link"
        "$python" -c 'import os, sys; os.replace(*sys.argv[1:])' "$made.link" "$environment"
        rm -rf ${old:+"$old"}
    fi
    umask "$mask"
    trap - EXIT INT TERM HUP
    rm -f "$log"
}

install() {
    "$made/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --retries 2 "$@" >>"$log" 2>&1
}

explain_failure() {
    missing=$(sed -n 's/.*No matching distribution found for \([A-Za-z0-9_.-]*\).*/\1/p' "$log")
    case $(cat "$log") in
    '' | *"No space left on device"*)
        give_up "Cannot write to $cache: about 350 MB are needed. Make room, or set XDG_CACHE_HOME to another folder." ;;
    *NewConnectionError* | *NameResolutionError* | *ConnectTimeoutError* | *ReadTimeoutError* | *ProxyError* | *SSLError*)
        give_up "The package index cannot be reached, which is needed the first time; pip's answer is in $log." ;;
    *"No matching distribution found"*)
        give_up "There is no ${missing:-package} for this platform ($(uname -sm), $("$python" --version)): Linux with glibc or macOS on Apple silicon is needed, and Python 3.11 to 3.14." ;;
    esac
    tail -n 5 "$log" >&2
    give_up "The environment could not be made; the whole answer is in $log."
}
