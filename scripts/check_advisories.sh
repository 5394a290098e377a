#!/usr/bin/env bash
# Known vulnerabilities of our dependencies, by cargo-deny, where its database can be reached. Where not, it says so and passes.
. "$(dirname "$0")/lib.sh"

DATABASE=https://github.com/RustSec/advisory-db
DENY=0.19.0

if ! GIT_TERMINAL_PROMPT=0 timeout 20 git ls-remote --quiet "$DATABASE" HEAD >/dev/null 2>&1 </dev/null; then
    say "NOT CHECKED: the advisory database ($DATABASE) cannot be reached from here"
    exit 0
fi
if ! cargo deny --version >/dev/null 2>&1; then
    say "building cargo-deny $DENY into .cache/cargo (once)"
    cargo install --quiet --locked --root "$CACHE/cargo" --version "^$DENY" cargo-deny
    PATH=$CACHE/cargo/bin:$PATH
fi
cargo deny check advisories
