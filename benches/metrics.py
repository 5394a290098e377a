"""What neronet costs a script that prints metrics, and what keeper and supervisor need themselves."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import _bench as bench

PAIRS = 15
LINES = 1_000_000
REWRITES = 1_000_000
RATE = 100
SECONDS = 20

# Timed inside, from the first line to the last: starting Python is nobody's print.
PRINTS = """import sys, time
lines, report = int(sys.argv[1]), sys.argv[2]
began = time.perf_counter()
for step in range(lines):
    print(f"step={step} loss={1 / (step + 1):.6f}")
took = time.perf_counter() - began
open(report, "w").write(str(took))
"""
REWRITES_A_BAR = """import sys
for step in range(int(sys.argv[1])):
    sys.stdout.write(f"\\r{step}/1000000 loss={1 / (step + 1):.6f}")
print()
"""
AT_A_RATE = """import sys, time
rate, seconds = int(sys.argv[1]), float(sys.argv[2])
began = time.perf_counter()
for step in range(int(rate * seconds)):
    print(f"step={step} loss={1 / (step + 1):.6f}")
    time.sleep(max(0, began + (step + 1) / rate - time.perf_counter()))
"""

work = bench.folder("work")
for name, text in (("prints.py", PRINTS), ("rewrites.py", REWRITES_A_BAR), ("rate.py", AT_A_RATE)):
    (work / name).write_text(text)
report = bench.root() / "seconds"
env = bench.environment(bench.root() / "home", bench.root() / "cache", PYTHONUNBUFFERED=1)
PYTHON = [sys.executable, "-S"]


def prints():
    return [*PYTHON, str(work / "prints.py"), str(LINES), str(report)]


def to_a_file():
    """The same script as neronet would start it, its output appended to a file on the same disk, and nobody else there."""
    output = bench.root() / "output"
    output.unlink(missing_ok=True)
    with open(output, "ab") as out:
        subprocess.run(prints(), cwd=work, env=env, start_new_session=True, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True)
    return float(report.read_text())


recorded = []


def under_neronet():
    began = time.perf_counter()
    bench.run([bench.NERONET, "run", "--quiet", "--", *prints()], work, env)
    recorded.append(time.perf_counter() - began)
    return float(report.read_text())


class Watched:
    """The keeper and the supervisor of the run that a command starts, by what /proc says of them."""

    def __init__(self, words):
        self.driver = subprocess.Popen(
            [bench.NERONET, "run", "--quiet", "--", *words], cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self.pids = []
        until = time.monotonic() + 30
        # The command, too, is called a keeper until it is executed; the supervisor comes after that.
        while len(self.pids) < 2 and time.monotonic() < until:
            names = {self.name(pid): pid for pid in sorted(numbers(Path("/proc").iterdir()), reverse=True)}
            self.pids = [names[name] for name in ("neronet-keeper", "neronet-superv") if name in names]
            time.sleep(0.01)
        if len(self.pids) < 2:
            bench.fail("keeper and supervisor were not to be seen in /proc")

    def name(self, pid):
        """Of those that show an attempt's folder in our home: keeper or supervisor. Of several keepers the oldest is it."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            return None
        return name if words.startswith(b"neronet\0keeper\0" + env["NERONET_HOME"].encode()) else None

    def memory(self):
        """Resident and proportional, of both together, in bytes; nothing when one has ended."""
        try:
            sums = [[field(pid, name) for pid in self.pids] for name in ("Rss", "Pss")]
        except OSError:
            return None
        return tuple(1024 * sum(both) for both in sums)

    def cpu(self):
        """Seconds of user and system time of both together; nothing when one has ended."""
        ticks = 0
        try:
            for pid in self.pids:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except OSError:
            return None
        return ticks / os.sysconf("SC_CLK_TCK")

    def until_the_end(self):
        """The most memory that both had, and the processor time that they used, as far as it was to be seen."""
        most, used = (0, 0), 0
        while self.driver.poll() is None:
            memory = self.memory()
            most = tuple(map(max, most, memory)) if memory else most
            used = self.cpu() or used
            time.sleep(0.02)
        if self.driver.returncode != 0:
            bench.fail(f"a run that was watched ended with {self.driver.returncode}")
        return most, used


def numbers(paths):
    return [int(path.name) for path in paths if path.name.isdigit()]


def field(pid, name):
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def megabytes(memory):
    return f"{memory[0] / 1e6:.1f} MB resident, {memory[1] / 1e6:.1f} MB proportional"


times = bench.alternate(PAIRS, file=to_a_file, neronet=under_neronet)
busiest, used = Watched(prints()).until_the_end()
bars, _ = Watched([*PYTHON, str(work / "rewrites.py"), str(REWRITES)]).until_the_end()

calm = Watched([*PYTHON, str(work / "rate.py"), str(RATE), str(SECONDS + 6)])
time.sleep(3)
before = calm.cpu()
began = time.monotonic()
steady = []
while time.monotonic() < began + SECONDS:
    time.sleep(1)
    steady.append(calm.memory() or bench.fail("the run at a steady rate ended too early"))
share = (calm.cpu() - before) / (time.monotonic() - began)
calm.until_the_end()

runs = bench.expect_finished(env, PAIRS + 1 + 3, work)
points = {one["id"]: one["metrics"]["loss"]["points"] for one in runs}
wanted = {one["id"]: LINES for one in runs[: PAIRS + 2]}
wanted[runs[-1]["id"]] = RATE * (SECONDS + 6)
for run, count in wanted.items():
    if points[run] != count:
        bench.fail(f"run {run} printed {count} metric lines, of which {points[run]} are on record")

ratios = [neronet / file for neronet, file in zip(times["neronet"], times["file"])]
typical = max(steady)
bench.say(f"{LINES:,} lines printed to a file", bench.spread(times["file"], "s", 1))
bench.say(f"{LINES:,} lines printed under neronet", bench.spread(times["neronet"], "s", 1))
bench.say("the whole run, from the command to its last record", bench.spread(recorded[1:], "s", 1))
bench.say("lines that a second of supervisor's processor time records", f"{LINES / used:,.0f}")
bench.say(f"keeper and supervisor, most while {LINES:,} lines come", megabytes(busiest))
bench.say(f"keeper and supervisor, most while {REWRITES:,} rewrites come", megabytes(bars))
bench.say(f"keeper and supervisor, most at {RATE} lines a second", megabytes(typical))
bench.say(f"keeper and supervisor, of a core at {RATE} lines a second", f"{100 * share:.2f} %")

bench.promise(f"{LINES:,} metric lines beside a file", "1.05 x", bench.ratio_spread(ratios), statistics.median(ratios) <= 1.05)
bench.promise(f"keeper and supervisor at {RATE} lines/s", "under 12 MB", megabytes(typical), typical[0] < 12e6)
bench.promise(f"keeper and supervisor at {RATE} lines/s", "under 1 % of a core", f"{100 * share:.2f} %", share < 0.01)
bench.promise(f"keeper and supervisor at {LINES:,} lines", "under 12 MB", megabytes(busiest), busiest[0] < 12e6)
bench.remark("lines a second of the supervisor's processor time", f"{LINES / used:,.0f}")
bench.remark(f"the same at {REWRITES:,} rewrites by \\r", megabytes(bars))
bench.finish()
