#!/usr/bin/env bash
# References that the program writes about itself must be those in docs/. `check_generated.sh --write` brings them up to date.
. "$(dirname "$0")/lib.sh"

# A line a reference: the file, and the words after `neronet` that print it.
REFERENCES="docs/reference.md reference
docs/schema.json schema
docs/openapi.json openapi"

cargo build --quiet --package neronet
stale=0
while read -r file words; do
    # shellcheck disable=SC2086 # the words are several
    if ! "${CARGO_TARGET_DIR:-target}/debug/neronet" $words >"$CACHE/generated" 2>/dev/null; then
        [ ! -e "$file" ] || die "$file is there, but 'neronet $words' does not print it any more"
        say "note: there is no 'neronet $words' yet, so there is no $file to check"
        continue
    fi
    if [ "${1:-}" = --write ]; then
        mkdir -p "$(dirname "$file")"
        cp "$CACHE/generated" "$file"
    elif ! diff -u "$file" "$CACHE/generated" | head -n 40; then
        say "$file is stale: scripts/check_generated.sh --write"
        stale=1
    fi
done <<<"$REFERENCES"
exit $stale
