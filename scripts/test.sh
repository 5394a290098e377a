#!/usr/bin/env bash
# The README's second command: every test. `test.sh PART…` runs only these parts: unit, faults, clusters, browser, examples, recipes.
# ROUNDS=n sets the rounds of the random tests, SEED=n repeats the rounds of a failure.
# RECIPES=all gets the frameworks of docs/recipes.md first (5 GB); without it recipes whose frameworks are not there are left out.
. "$(dirname "$0")/lib.sh"

export FAULT_ROUNDS=${ROUNDS:-${FAULT_ROUNDS:-20}}
export FAULT_QUEUE_ROUNDS=${FAULT_QUEUE_ROUNDS:-$FAULT_ROUNDS}
# Each of these takes a quarter of a minute.
export FAULT_CLUSTER_ROUNDS=${FAULT_CLUSTER_ROUNDS:-${ROUNDS:-10}}
export FAULT_SEED=${SEED:-${FAULT_SEED:-$(date +%s)}}

# Test targets that are parts of their own (tests/faults and so on); all others are "unit and simulation".
PARTS="faults clusters browser recipes"

targets() {
    cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys
names = {t["name"] for p in json.load(sys.stdin)["packages"] for t in p["targets"] if "test" in t["kind"]}
print("\n".join(sorted(names)))'
}

unit() {
    local name
    local -a chosen=(--lib --bins)
    for name in $(targets); do
        case " $PARTS " in *" $name "*) ;; *) chosen+=(--test "$name") ;; esac
    done
    cargo test --workspace --quiet --doc && cargo test --workspace --no-fail-fast "${chosen[@]}"
}

# part NAME: one test target, whatever crate it is in.
part() {
    # Read to its end: a pipe that is closed early would look like a failure.
    if [ -n "$(targets | grep -x "$1" || true)" ]; then
        say "rounds: $FAULT_ROUNDS, of a loaded queue $FAULT_QUEUE_ROUNDS, of hosts $FAULT_CLUSTER_ROUNDS; seed: $FAULT_SEED (the same again:" \
            "ROUNDS=$FAULT_ROUNDS FAULT_QUEUE_ROUNDS=$FAULT_QUEUE_ROUNDS FAULT_CLUSTER_ROUNDS=$FAULT_CLUSTER_ROUNDS SEED=$FAULT_SEED scripts/test.sh $1)"
        timed "$1" cargo test --workspace --test "$1"
    elif [ "$1" = faults ]; then
        die "the test target $1 is not to be found"
    else
        say "== $1: there are none yet"
    fi
}

recipes() {
    if [ "${RECIPES:-}" = all ]; then scripts/setup.sh recipes || return 1; fi
    timed recipes cargo test -p neronet --test recipes
}

scripts/setup.sh demo
[ $# -gt 0 ] || set -- unit faults clusters browser examples recipes
timed "build tests" cargo test --workspace --no-run --quiet
failed=()
for name in "$@"; do
    case $name in
        unit) timed "unit and simulation" unit || failed+=("$name") ;;
        faults | browser) part "$name" || failed+=("$name") ;;
        clusters)
            # Some of these wait for minutes, and keep no processor busy.
            RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) + 2))} part "$name" || failed+=("$name")
            HOSTS_DIR=/var/tmp/neronet-hosts tests/clusters/hosts.sh clear
            # As tests/clusters/hosts.rs has them.
            HOSTS_DIR=/var/tmp/neronet-hosts-storm HOSTS="gale squall drift" HOSTS_NET=10.213.77 HOSTS_BRIDGE=nr-storm tests/clusters/hosts.sh clear
            HOSTS_DIR=/var/tmp/neronet-hosts-clocks HOSTS="dawn dusk noon night doze ebb" HOSTS_NET=10.213.78 HOSTS_BRIDGE=nr-clocks tests/clusters/hosts.sh clear
            HOSTS_DIR=/var/tmp/neronet-hosts-odd HOSTS="hall attic" HOSTS_NET=10.213.79 HOSTS_BRIDGE=nr-odd tests/clusters/hosts.sh clear
            ;;
        examples) timed "examples" "$CACHE/venv/bin/python" -m unittest discover -s examples/lenet || failed+=("$name") ;;
        recipes) recipes || failed+=("$name") ;;
        *) die "test.sh $name: it is one of unit, examples, $PARTS" ;;
    esac
done
[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]} (again: scripts/test.sh ${failed[*]})"
say "All tests passed."
