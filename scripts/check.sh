#!/usr/bin/env bash
# All that is judged without running the program. Goes through everything, then fails if anything did; `check.sh NAME…` runs only these.
. "$(dirname "$0")/lib.sh"

format() { cargo fmt --all --check; }
lints() { cargo clippy --workspace --all-targets --quiet -- -D warnings; }
docs() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet; }
structure() { python3 scripts/check_structure.py; }
licences() { python3 scripts/check_licences.py; }
advisories() { scripts/check_advisories.sh; }
generated() { scripts/check_generated.sh; }
files() { python3 scripts/check_files.py; }
scripts() {
    local file
    for file in scripts/*.sh tests/*/*.sh .ci/run; do bash -n "$file" || return 1; done
    python3 - scripts/*.py examples/*/*.py <<'PYTHON_END' || return 1
import ast, sys
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        ast.parse(file.read(), path)
PYTHON_END
    if command -v shellcheck >/dev/null; then
        shellcheck --external-sources --source-path=SCRIPTDIR scripts/*.sh tests/*/*.sh .ci/run
    else
        say "note: shellcheck is not installed, so the shell scripts were only parsed ('sudo apt-get install shellcheck')"
    fi
}

scripts/setup.sh tools
[ $# -gt 0 ] || set -- format files scripts structure licences advisories lints docs generated
failed=()
for name in "$@"; do
    case $name in
        format | lints | docs | structure | licences | advisories | generated | files | scripts)
            timed "check $name" "$name" || failed+=("$name")
            ;;
        *) die "check.sh $name: it is one of format, lints, docs, structure, licences, advisories, generated, files, scripts" ;;
    esac
done
[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]} (again: scripts/check.sh ${failed[*]})"
say "All checks passed."
