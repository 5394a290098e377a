"""Homes of 10,000 and of 100,000 ended runs with 50 metrics each: lists that are filtered and sorted, as whole processes, by themselves
and with a daemon that has home in memory; the first time, which reads the journal and stores what it comes to; the start of a daemon.
"""

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import _bench as bench

ROUNDS = 11
METRICS = 50
FILTER = ["ls", "-a", "val_acc.max > 0.9 and lr == 1e-2", "--sort", "-loss", "--limit", "50"]
BOUNDS = {10_000: 0.030, 100_000: 0.150}


def memory(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


for runs, bound in BOUNDS.items():
    home = bench.root() / f"home-{runs}"
    subprocess.run([bench.example("neronet-store", "home"), home, str(runs), str(METRICS)], check=True)
    env = bench.environment(home, bench.root() / f"cache-{runs}")
    work = bench.folder(f"work-{runs}")
    first = bench.run([bench.NERONET, "ls", "-a", "--limit", "50"], work, env)
    listed = json.loads(subprocess.run([bench.NERONET, *FILTER, "--json"], cwd=work, env=env, stdout=subprocess.PIPE, check=True).stdout)
    if len(listed) != 50 or any(run["params"]["lr"] != 1e-2 or len(run["metrics"]) != METRICS for run in listed):
        bench.fail(f"{len(listed)} runs were listed, or others than were asked for")
    kinds = {
        "alone": lambda: bench.run([bench.NERONET, *FILTER], work, env),
        "plain": lambda: bench.run([bench.NERONET, "ls", "-a", "--limit", "50"], work, env),
        "show": lambda: bench.run([bench.NERONET, "show", str(runs // 2)], work, env),
    }
    times = bench.alternate(ROUNDS, **kinds)
    began = time.perf_counter()
    daemon = subprocess.Popen([bench.NERONET, "serve"], cwd=work, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (home / "daemon.json").exists():
        if daemon.poll() is not None:
            bench.fail("the daemon did not start")
        time.sleep(0.002)
    bench.run([bench.NERONET, "queue"], work, env)
    started = time.perf_counter() - began
    try:
        times |= bench.alternate(ROUNDS, served=kinds["alone"])
        held = memory(daemon.pid)
    finally:
        daemon.terminate()
        daemon.wait()
    stored = sum(file.stat().st_size for file in (bench.root() / f"cache-{runs}").rglob("*") if file.is_file())
    for name, what in {"plain": "ls", "alone": "ls, filtered and sorted", "served": "the same beside a daemon", "show": "show"}.items():
        bench.say(f"{runs:,} runs: {what}", bench.spread(times[name]))
    bench.say(f"{runs:,} runs: the first ls, which reads the journal", f"{first * 1000:.0f} ms, {os.path.getsize(home / 'journal' / '1.log') / first / 1e6:.0f} MB/s")
    bench.say(f"{runs:,} runs: what is stored of it", f"{stored / 1e6:.0f} MB")
    bench.promise(f"ls of {runs:,} runs, filtered and sorted", f"under {bound * 1000:.0f} ms", bench.spread(times["alone"]), statistics.median(times["alone"]) < bound)
    bench.remark("the same beside a daemon", bench.spread(times["served"]))
    bench.promise(f"start of a home of {runs:,} runs", "1 s, 300 MB", f"{started * 1000:.0f} ms, {held / 1e6:.0f} MB", started < 1 and held < 300e6)
bench.finish()
