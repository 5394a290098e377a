"""The queue and its daemon: 10,000 recorded runs of /bin/true beside xargs, 100,000 runs in one submission, what an idle daemon costs.

RUNS=n for another number of runs.
"""

import json
import os
import statistics
import time
from pathlib import Path

import _bench as bench

ROUNDS = 3
RUNS = int(os.environ.get("RUNS", "10000"))
MANY = 100_000
IDLE_SECONDS = 10


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


# Ten thousand runs.
work = bench.no_ops("work", RUNS)
homes, peaks = [], []


def queue():
    homes.append(bench.environment(bench.root() / f"home-{len(homes)}", bench.root() / "cache"))
    took = bench.submit(work, homes[-1])
    peaks.append(peak(daemon(homes[-1])))
    return took


xargs_times, queue_times = [], []
for _ in range(ROUNDS):
    xargs_times.append(bench.xargs(RUNS))
    queue_times.append(queue())
for env in homes:
    bench.expect_finished(env, RUNS, work)
ratios = [queued / floor for queued, floor in zip(queue_times, xargs_times)]
bench.say(f"{RUNS:,} /bin/true by xargs -P2, a task", bench.spread([t / RUNS for t in xargs_times]))
bench.say(f"{RUNS:,} recorded runs through the queue, a run", bench.spread([t / RUNS for t in queue_times]))
bench.promise(f"{RUNS:,} recorded runs beside xargs -P2", "5 x, goal 3 x", bench.ratio_spread(ratios), statistics.median(ratios) <= 5)
bench.promise("the daemon meanwhile, at most", "under 60 MB", f"{max(peaks) / 1e6:.0f} MB", max(peaks) < 60e6)
for env in homes:
    bench.down(env)

# From a free slot to a started process: from the last thing that a command does to the first thing that the next one does, by the
# clock of both. The exit of the one and the loading of the other are counted in; what these take alone is measured beside.
STEPS = 40


def gaps(folder):
    lines = [line for file in folder.rglob("begun_ended") for line in file.read_text().splitlines()]
    steps = sorted([int(time) / 1e9 for time in line.split()] for line in lines)
    if len(steps) != STEPS:
        bench.fail(f"{STEPS} commands were to note their times below {folder}; {len(steps)} did")
    return [following[0] - step[1] for step, following in zip(steps, steps[1:])]


slots = bench.folder("slots")
step = slots / "step"
bench.run([os.environ.get("CC", "cc"), "-O2", "-o", step, Path(__file__).with_name("_step.c")])
(slots / "neronet.toml").write_text(f'command = ["{step}"]\n[params]\nn = {{ repeat = {STEPS} }}\n[sweep]\nparallel = 1\n')
env = bench.environment(bench.root() / "home-slots", bench.root() / "cache")
alone = bench.folder("slots-alone")
bench.run(["sh", "-c", f"seq {STEPS} | xargs -P1 -n1 {step}"], alone)
bench.submit(slots, env)
bench.expect_finished(env, STEPS, slots)
ours = gaps(Path(env["NERONET_HOME"]) / "runs")
bench.say("from the end of a command to the next one's first step", bench.spread(ours))
bench.say("the same by xargs -P1", bench.spread(gaps(alone)))
bench.promise("from free slot to started process", "under 10 ms", bench.spread(ours), statistics.median(ours) < 0.010)

# The daemon has nothing to do now.
pid = daemon(env)
time.sleep(2)
before = used(pid)
time.sleep(IDLE_SECONDS)
after = used(pid)
busy, wakes = (after[0] - before[0]) / IDLE_SECONDS, (after[1] - before[1]) / IDLE_SECONDS
bench.promise("an idle daemon", "under 20 MB", f"{memory(pid) / 1e6:.1f} MB", memory(pid) < 20e6)
bench.promise("its processor, its wake-ups", "0.1 %, 1 a second", f"{100 * busy:.2f} %, {wakes:.1f} a second", busy <= 0.001 and wakes <= 1)
bench.down(env)

# A hundred thousand in one submission.
many = bench.no_ops("many", MANY)
# They are there to be queued, not to be carried out.
wish = ["--not-before", "2099-01-01 00:00"]
submitted = []
for n in range(ROUNDS):
    env = bench.environment(bench.root() / f"home-many-{n}", bench.root() / "cache")
    submitted.append(bench.run([bench.NERONET, "submit", "--quiet", "--yes", *wish], many, env))
    if n + 1 < ROUNDS:
        bench.down(env)
ls = bench.alternate(5, ls=lambda: bench.run([bench.NERONET, "ls"], many, env), queue=lambda: bench.run([bench.NERONET, "queue"], many, env))
bench.promise(f"submitting {MANY:,} runs in one call", "under 3 s", bench.spread(submitted), statistics.median(submitted) < 3)
bench.promise("`ls` then", "under 100 ms", bench.spread(ls["ls"]), statistics.median(ls["ls"]) < 0.1)
bench.promise("`queue` then", "under 100 ms", bench.spread(ls["queue"]), statistics.median(ls["queue"]) < 0.1)
bench.down(env)
bench.finish()
