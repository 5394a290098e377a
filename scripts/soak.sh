#!/usr/bin/env bash
# The random tests with their full counts: what `make test` does in little, for hours if asked. ROUNDS=n for another count.
. "$(dirname "$0")/lib.sh"

export PROPTEST_CASES=${PROPTEST_CASES:-20000}
# Some readers take milliseconds for one mutation: a count of their own, of the slowest.
export FUZZ_CASES=${FUZZ_CASES:-4000}
export FAULT_QUEUE_ROUNDS=${FAULT_QUEUE_ROUNDS:-${ROUNDS:-300}}
export FAULT_CLUSTER_ROUNDS=${FAULT_CLUSTER_ROUNDS:-${ROUNDS:-100}}
export ROUNDS=${ROUNDS:-200}
export SIM_SEEDS=${SIM_SEEDS:-10000}
started=$SECONDS
scripts/test.sh unit faults clusters browser
say "Soaked for $((SECONDS - started)) s: $ROUNDS rounds of faults and $FAULT_QUEUE_ROUNDS of a loaded queue, $FAULT_CLUSTER_ROUNDS of hosts, $PROPTEST_CASES cases a property, $FUZZ_CASES mutations of what the slowest reader reads, $SIM_SEEDS seeds of the queue."
