"""The queues that people would take otherwise, beside ours: tasks of /bin/true on two slots, in one run, as ratios.

Each is used as its users use it: a list in one call where it takes one, else a call for each task, with its own defaults otherwise.
What serves them (task-spooler's server, pueued, HyperQueue's server and worker) stands ready before the clock starts; neronet's daemon
starts while it runs. The end is told by the last task through a pipe, for some of them ask only now and then whether all is done.
None of them records as much as neronet does. Their state is below the benchmark's folder. `scripts/setup.sh peers` gets them; what is
not there is named.
"""

import atexit
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import _bench as bench

ROUNDS = 3
MANY = 1000
# pueue looks three times a second for what it can start: 1,000 tasks would take three minutes a round.
FEW = 60
PATIENCE = 120  # seconds that any step may take before something must be wrong
PEERS = Path(__file__).parent.parent / ".cache" / "peers"
HYPERQUEUE = PEERS / "hyperqueue" / "bin" / "python"
HYPERQUEUE_VERSION = "import importlib.metadata; print('hyperqueue', importlib.metadata.version('hyperqueue'))"

# Whoever is stopped by a signal stops the servers too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

state = bench.folder("peers")
told, last = state / "told", state / "last"
os.mkfifo(told)
last.write_text(f"#!/bin/sh\necho >'{told}'\n")
last.chmod(0o755)
env = bench.environment(state / "home", state / "cache")
env = {name: value for name, value in env.items() if not name.startswith(("XDG_", "TS_", "PUEUE_"))}
env |= {"PATH": f"{PEERS / 'bin'}:{env['PATH']}", "HOME": str(state), "XDG_RUNTIME_DIR": str(state), "TMPDIR": str(state)}
env |= {"PARALLEL_HOME": str(state / "parallel"), "TS_SOCKET": str(state / "tsp"), "TS_SLOTS": "2", "TS_MAXFINISHED": str(10 * MANY)}


def said(*words):
    """What a program prints, on either output."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    try:
        done = subprocess.run(words, cwd=state, env=env, timeout=PATIENCE, **streams)
    except subprocess.TimeoutExpired:
        bench.fail(f"{' '.join(map(str, words))} had not ended after {PATIENCE} s")
    if done.returncode != 0:
        bench.fail(f"{' '.join(map(str, words))} ended with {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def seconds_until_told(begin):
    """How long it takes from `begin` until the last task tells of itself."""
    pipe = os.open(told, os.O_RDONLY | os.O_NONBLOCK)
    began = time.perf_counter()
    begin()
    if not select.select([pipe], [], [], PATIENCE)[0]:
        bench.fail(f"the last task had not run {PATIENCE} s after its submission")
    took = time.perf_counter() - began
    # Until whoever told lets go of it: what is left in it would be heard the next time.
    os.set_blocking(pipe, True)
    while os.read(pipe, 64):
        pass
    os.close(pipe)
    return took


def one_by_one(add, count):
    """Adds tasks by a call each, without a wait between them."""
    script = f"for n in $(seq {count - 1}); do {add} /bin/true || exit; done; {add} {last}"
    return seconds_until_told(lambda: said("sh", "-c", script))


def expect_done(name, count, done):
    """What was timed: so many tasks, all of them successful. The last one but one may end after the last one, so this looks again."""
    for _ in range(100):
        if (found := done()) == count:
            return
        time.sleep(0.05)
    bench.fail(f"{name} finished {found} of {count} tasks")


def stop(server):
    """Asks it to end, then makes it."""
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


# What takes so many tasks to their end, how long that takes, and a look whether they were done. Servers are started by a class.


def parallel(count):
    return bench.run(["sh", "-c", f"seq {count} | parallel --will-cite -j2 -n1 /bin/true"], state, env)


class TaskSpooler:
    def __init__(self):
        atexit.register(subprocess.run, ["tsp", "-K"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        said("tsp", "-l")

    def __call__(self, count):
        took = one_by_one("tsp", count)
        expect_done("task-spooler", count, lambda: len(re.findall(r"^\d+ +finished +\S+ +0 ", said("tsp", "-l"), re.MULTILINE)))
        said("tsp", "-C")
        return took


class HyperQueue:
    def __init__(self):
        self.log = state / "hyperqueue.log"
        words = [HYPERQUEUE, Path(__file__).with_name("_hyperqueue.py"), state / "hyperqueue", last]
        with open(self.log, "w") as log:
            self.server = subprocess.Popen(words, cwd=state, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        atexit.register(stop, self.server)
        self.answer()

    def answer(self):
        if not self.server.stdout.readline():
            bench.fail(f"HyperQueue's process ended: {self.log.read_text()[-2000:]}")

    def __call__(self, count):
        took = seconds_until_told(lambda: print(count, file=self.server.stdin, flush=True))
        self.answer()
        return took


class Pueue:
    def __init__(self):
        with open(state / "pueue.log", "w") as log:
            atexit.register(stop, subprocess.Popen(["pueued"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        ready = ["pueue", "parallel", "2"]
        for _ in range(100):
            if subprocess.run(ready, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.1)
        said(*ready)

    def __call__(self, count):
        took = one_by_one("pueue add --", count)
        expect_done("pueue", count, lambda: said("pueue", "status", "--json").count('"result":"Success"'))
        said("pueue", "clean")
        return took


homes = []


def neronet(count):
    work = bench.no_ops(f"work-{len(homes)}", count)
    homes.append((bench.environment(bench.root() / f"home-{len(homes)}", bench.root() / "cache"), work, count))
    took = bench.submit(work, homes[-1][0])
    bench.down(homes[-1][0])
    return took


# name, what says its version, how it says it, what measures it, with how many tasks, whose package it is
ALL = [
    ("GNU parallel", ["parallel", "--version"], r"^GNU parallel (\S+)", lambda: parallel, MANY, "the distribution's package parallel"),
    ("task-spooler", ["tsp", "-V"], r"^Task Spooler v(\S+)", TaskSpooler, MANY, "the distribution's package task-spooler"),
    ("HyperQueue", [HYPERQUEUE, "-c", HYPERQUEUE_VERSION], r"^hyperqueue (\S+)", HyperQueue, MANY, "PyPI's hyperqueue in .cache/peers/hyperqueue"),
    ("pueue", ["pueued", "--version"], r"^pueued (\S+)", Pueue, FEW, "`cargo install pueue`"),
]
peers = {}
for name, words, pattern, measure, count, package in ALL:
    try:
        found = re.search(pattern, subprocess.run(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout)
    except FileNotFoundError:
        found = None
    if found:
        peers[f"{name} {found[1]}"] = measure(), count
    else:
        bench.say(f"{name} is not measured: it is not installed", f"get it by `scripts/setup.sh peers`, else {package}")
        bench.remark(f"recorded runs beside {name}", "not measured: get it by `scripts/setup.sh peers`")

# The same number of tasks for both sides of each ratio.
sizes = sorted({MANY, *(count for _, count in peers.values())})
kinds = {f"xargs {size}": lambda size=size: bench.xargs(size) for size in sizes}
kinds |= {f"neronet {size}": lambda size=size: neronet(size) for size in sizes}
kinds |= {name: lambda tasks=tasks, count=count: tasks(count) for name, (tasks, count) in peers.items()}
times = bench.alternate(ROUNDS, **kinds)
for home, work, count in homes:
    bench.expect_finished(home, count, work)


def ratios(these, those):
    return [one / other for one, other in zip(times[these], times[those])]


def say(name, kind, count):
    floor = f"xargs {count}"
    beside = "" if kind == floor else f", beside xargs {bench.ratio_spread(ratios(kind, floor))}"
    bench.say(f"{count:,} tasks by {name}, a task", bench.spread([took / count for took in times[kind]]) + beside)


for size in sizes:
    say("xargs -P2", f"xargs {size}", size)
    say("neronet, recorded", f"neronet {size}", size)
for name, (_, count) in peers.items():
    say(name, name, count)
    ours = ratios(f"neronet {count}", name)
    if name.startswith("pueue "):
        bench.promise(f"{count:,} recorded runs beside {name}", "well under 1 x", bench.ratio_spread(ours), max(ours) < 0.5)
    else:
        bench.remark(f"{count:,} recorded runs beside {name}", bench.ratio_spread(ours))
bench.finish()
