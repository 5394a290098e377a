"""Decisions, reasons and forecasts with 100,000 queued runs and 100 machines with 8 GPUs each, in the queue itself: no disk, no start.

`start`: all machines are free; `wait`: all are full; `one`: one run has ended.
"""

import json
import subprocess
from pathlib import Path

import _bench as bench

words = ["cargo", "run", "--release", "--quiet", "--package", "neronet-schedule", "--example", "decision"]
done = subprocess.run(words, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, check=True)
found = json.loads(done.stdout)
for one in found:
    if one["starts"] != 800:
        bench.fail(f"{one['name']}: 800 runs were to start, {one['starts']} did")
    for what in ("start", "wait", "one", "queued", "reasons", "forecast"):
        bench.say(f"100,000 runs in {one['name']}: {what}", f"{one[what]:.2f} ms")

# 100,000 experiments are as many kinds of runs as there are runs: beyond what is promised.
*promised, kinds = found
slowest = max(one[what] for one in promised for what in ("start", "wait", "one"))
bench.promise("a decision with 100,000 queued runs, 100 machines", "under 10 ms", f"{slowest:.2f} ms at most", slowest < 10)
bench.remark("a decision with 100,000 experiments of one run", f"{max(kinds[what] for what in ('start', 'wait', 'one')):.2f} ms at most")
bench.remark("the order of 100,000 queued runs", f"{max(one['queued'] for one in found):.2f} ms at most")
bench.remark("reasons of 1,000 of them", f"{max(one['reasons'] for one in found):.2f} ms at most")
bench.remark("a forecast of 1,000 starts", f"{max(one['forecast'] for one in found):.2f} ms at most")
bench.finish()
