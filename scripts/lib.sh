# Sourced by every script here: where things are, how they speak, and how long each part took.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CACHE=$PWD/.cache
TIMES=$CACHE/times # a line a part: seconds, name; read by .ci/run
mkdir -p "$CACHE"

say() { printf '%s\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# timed NAME COMMAND…: runs it under a heading and notes its time, also when it fails.
# As in any condition, bash does not stop at a failure inside COMMAND: a function given here joins its steps by &&.
timed() {
    local name=$1 started=$SECONDS status=0
    shift
    say "== $name"
    "$@" || status=$?
    printf '%s\t%s\n' $((SECONDS - started)) "$name" >>"$TIMES"
    return $status
}
