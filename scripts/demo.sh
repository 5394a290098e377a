#!/usr/bin/env bash
# The README's first command: six trainings of LeNet on MNIST digits, two at a time, then a table, curves and an HTML report.
. "$(dirname "$0")/lib.sh"

SPEC=examples/lenet/neronet.toml
WANTED=97 # percent of the 1,000 held-out digits
NERONET=target/release/neronet
REPORT=$CACHE/demo-report.html
export NERONET_HOME=$CACHE/demo-home

started=$SECONDS
scripts/setup.sh demo
prepared=$SECONDS
say "Building neronet"
cargo build --release --quiet --package neronet
built=$SECONDS
say "Prepared in $((prepared - started)) s, built in $((built - prepared)) s."
say

# A fresh home, so that the runs are 1 to 6 each time.
rm -rf "$NERONET_HOME"
framework=$(cat "$CACHE/venv/framework")
"$NERONET" run "$SPEC" --set "framework=$framework"

# Where a GPU did the work, the CPU does the best configuration once more, for the report to compare.
if [ "$framework" = torch ] && "$CACHE/venv/bin/python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    "$NERONET" run "$SPEC" --set framework=torch --set device=cpu --set lr=0.05 --set activation=relu
fi

say
# What the demo shows of neronet: these three commands.
"$NERONET" ls --sort test_acc
say
"$NERONET" plot 1-6 -m test_acc
"$NERONET" report 1-6 -o "$REPORT"
"$NERONET" ls --json | "$CACHE/venv/bin/python" scripts/demo_check.py "$WANTED"
say "Report: ${REPORT#"$PWD"/}"
say "Look further:  NERONET_HOME=${NERONET_HOME#"$PWD"/} $NERONET show 1   (or logs, plot, compare, ls --help)"
say "Preparation $((prepared - started)) s, build $((built - prepared)) s, demo $((SECONDS - built)) s."
