"""The queue and its daemon: 10,000 recorded runs of /bin/true beside xargs, 100,000 runs in one submission, what an idle daemon costs.

RUNS=n for another number of runs.
"""

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import _bench as bench

ROUNDS = 3
RUNS = int(os.environ.get("RUNS", "10000"))
MANY = 100_000
IDLE_SECONDS = 10
SPEC = 'command = ["/bin/true", "{{n}}"]\n\n[params]\nn = [{numbers}]\n\n[sweep]\nparallel = 2\n{more}'


def project(name, count, more=""):
    work = bench.folder(name)
    (work / "neronet.toml").write_text(SPEC.format(numbers=", ".join(map(str, range(count))), more=more))
    return work


def daemon(env):
    """The process that keeps the queue of this home."""
    return json.loads((Path(env["NERONET_HOME"]) / "daemon.json").read_text())["process"]["pid"]


def memory(pid):
    """Bytes that a process has to itself, and its part of what it shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def peak(pid):
    return 1024 * next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:"))


def used(pid):
    """Seconds of processor and switches of all threads: an idle one is switched to when it wakes up."""
    seconds, switches = 0.0, 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        switches += sum(int(line.split()[1]) for line in (task / "status").read_text().splitlines() if line.startswith(("voluntary", "nonvoluntary")))
    return seconds, switches


def down(env):
    subprocess.run([bench.NERONET, "down"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


# Ten thousand runs.
work = project("work", RUNS)
homes, peaks = [], []


def xargs():
    return bench.run(["sh", "-c", f"seq {RUNS} | xargs -P2 -n1 /bin/true"], work)


def queue():
    homes.append(bench.environment(bench.root() / f"home-{len(homes)}", bench.root() / "cache"))
    took = bench.run([bench.NERONET, "submit", "--wait", "--quiet", "--yes"], work, homes[-1])
    peaks.append(peak(daemon(homes[-1])))
    return took


xargs_times, queue_times = [], []
for _ in range(ROUNDS):
    xargs_times.append(xargs())
    queue_times.append(queue())
for env in homes:
    bench.expect_finished(env, RUNS, work)
ratios = [queued / floor for queued, floor in zip(queue_times, xargs_times)]
bench.say(f"{RUNS:,} /bin/true by xargs -P2, a task", bench.spread([t / RUNS for t in xargs_times]))
bench.say(f"{RUNS:,} recorded runs through the queue, a run", bench.spread([t / RUNS for t in queue_times]))
bench.promise(f"{RUNS:,} recorded runs beside xargs -P2", "5 x, goal 3 x", bench.ratio_spread(ratios), statistics.median(ratios) <= 5)
bench.promise("the daemon meanwhile, at most", "under 60 MB", f"{max(peaks) / 1e6:.0f} MB", max(peaks) < 60e6)
for env in homes:
    down(env)

# From a free slot to a started process: how long after one run its successor begins, by their own clocks.
slots = bench.folder("slots")
(slots / "neronet.toml").write_text(
    'command = ["sh", "-c", "date +%s%N > begun; sleep 0.02; date +%s%N > ended"]\n[params]\nn = { repeat = 40 }\n[sweep]\nparallel = 1\n'
)
env = bench.environment(bench.root() / "home-slots", bench.root() / "cache")
bench.run([bench.NERONET, "submit", "--wait", "--quiet"], slots, env)
stamp = lambda run, name: int(next((Path(env["NERONET_HOME"]) / "runs" / str(run) / "work").rglob(name)).read_text()) / 1e9
gaps = [stamp(run + 1, "begun") - stamp(run, "ended") for run in range(1, 40)]
bench.say("from the end of a command to the next one's first step", bench.spread(gaps))
bench.promise("from free slot to started process", "under 10 ms", bench.spread(gaps), statistics.median(gaps) < 0.010)

# The daemon has nothing to do now.
pid = daemon(env)
time.sleep(2)
before = used(pid)
time.sleep(IDLE_SECONDS)
after = used(pid)
busy, wakes = (after[0] - before[0]) / IDLE_SECONDS, (after[1] - before[1]) / IDLE_SECONDS
bench.promise("an idle daemon", "under 20 MB", f"{memory(pid) / 1e6:.1f} MB", memory(pid) < 20e6)
bench.promise("its processor, its wake-ups", "0.1 %, 1 a second", f"{100 * busy:.2f} %, {wakes:.1f} a second", busy <= 0.001 and wakes <= 1)
down(env)

# A hundred thousand in one submission.
many = project("many", MANY)
# They are there to be queued, not to be carried out.
wish = ["--not-before", "2099-01-01 00:00"]
submitted = []
for n in range(ROUNDS):
    env = bench.environment(bench.root() / f"home-many-{n}", bench.root() / "cache")
    submitted.append(bench.run([bench.NERONET, "submit", "--quiet", "--yes", *wish], many, env))
    if n + 1 < ROUNDS:
        down(env)
ls = bench.alternate(5, ls=lambda: bench.run([bench.NERONET, "ls"], many, env), queue=lambda: bench.run([bench.NERONET, "queue"], many, env))
bench.promise(f"submitting {MANY:,} runs in one call", "under 3 s", bench.spread(submitted), statistics.median(submitted) < 3)
bench.promise("`ls` then", "under 100 ms", bench.spread(ls["ls"]), statistics.median(ls["ls"]) < 0.1)
bench.promise("`queue` then", "under 100 ms", bench.spread(ls["queue"]), statistics.median(ls["queue"]) < 0.1)
down(env)
bench.finish()
