#!/usr/bin/env bash
# Every benchmark in benches/ (*.py, *.sh) against the release binary, whose path they find in $NERONET. Prints ratios, judges nothing.
# `bench.sh NAME…` runs only these. For `peers` the queues that are measured beside ours are got first (scripts/setup.sh peers),
# and for `trackers` these.
# Seven minutes after many files were deleted it measures rightly: until then ext4 passes over their inodes one by one, and whoever
# makes files waits (the copy by `cp -r` that is measured beside shows it). The start, which makes most, comes first.
# BENCH_DISK=FOLDER measures on another disk than that of /var/tmp.
. "$(dirname "$0")/lib.sh"

scripts/setup.sh demo
for others in peers trackers; do
    case " $* " in "  " | *" $others "*) scripts/setup.sh "$others" ;; esac
done
cargo build --release --quiet --package neronet
export NERONET=$PWD/target/release/neronet
say "$("$NERONET" --version), $(uname -sr), $(nproc) cores, load $(cut -d ' ' -f 1 /proc/loadavg)"
BENCH_FOLDER=$(mktemp -d "${BENCH_DISK:-/var/tmp}/neronet-bench-XXXXXX") # of all benchmarks, removed when nothing is measured any more
BENCH_ROWS=$BENCH_FOLDER/rows.csv
export BENCH_FOLDER BENCH_ROWS
trap 'rm -rf "$BENCH_FOLDER"' EXIT
found=0
measured=
for file in benches/start.py benches/*.py benches/*.sh; do
    [ -e "$file" ] || continue
    name=$(basename "${file%.*}")
    case " $measured " in *" $name "*) continue ;; esac
    measured="$measured $name"
    # A file that begins with _ is shared by the others.
    case $name in _*) continue ;; esac
    if [ $# -gt 0 ]; then case " $* " in *" $name "*) ;; *) continue ;; esac; fi
    found=1
    case $file in
        *.py) timed "bench $name" "$CACHE/venv/bin/python" "$file" ;;
        *.sh) timed "bench $name" bash "$file" ;;
    esac
done
[ $found = 1 ] || die "no benchmark in benches/ with the name asked for: $*"
say "== all figures, load now $(cut -d ' ' -f 1 /proc/loadavg)"
"$CACHE/venv/bin/python" benches/_bench.py
