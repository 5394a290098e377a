"""What every benchmark here shares: folders, alternation, floors, checks of the records, the table.

A benchmark measures neronet beside a floor, turn about in one run, so that both meet the same machine. It checks that what it
timed was really done, and fails only when it was not: bounds are printed, not enforced, for a busy machine is no defect.
"""

import atexit
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NERONET = os.environ.get("NERONET") or sys.exit("error: $NERONET must name the binary to measure; `make bench` sets it")
# Where bench.sh collects the rows of all benchmarks for one table at the end.
ROWS = os.environ.get("BENCH_ROWS")

_root = None


def root():
    """A fresh folder on the disk, outside of any work tree. Nothing in it is removed while anything is still measured: ext4
    makes files slowly for minutes after many were deleted. bench.sh removes those of all benchmarks together."""
    global _root
    if _root is None:
        together = os.environ.get("BENCH_FOLDER")
        _root = Path(tempfile.mkdtemp(prefix="neronet-bench-", dir=together or "/var/tmp"))
        if not together:
            atexit.register(shutil.rmtree, _root, ignore_errors=True)
    return _root


def folder(name):
    path = root() / name
    path.mkdir(parents=True)
    return path


def environment(home, cache, **more):
    """This process's environment with a home and a cache of the benchmark's own, and nothing of an outer run."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NERONET")}
    return {**env, "NERONET_HOME": str(home), "XDG_CACHE_HOME": str(cache), **{name: str(value) for name, value in more.items()}}


def run(words, cwd=None, env=None):
    """Runs to the end without a terminal and gives the seconds that it took."""
    began = time.perf_counter()
    done = subprocess.run(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    took = time.perf_counter() - began
    if done.returncode != 0:
        fail(f"{' '.join(map(str, words))} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return took


def run_with_memory(words, cwd=None, env=None):
    """As `run`, with the most memory that the process itself had, in bytes."""
    began = time.perf_counter()
    child = subprocess.Popen(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    took = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        fail(f"{' '.join(map(str, words))} ended with {child.returncode}")
    return took, 1024 * used.ru_maxrss


def example(package, name):
    """The path of an example of a crate's, which measures what no command does alone. It is compiled as the binary is."""
    words = ["cargo", "build", "--release", "--quiet", "--package", package, "--example", name, "--message-format", "json"]
    done = subprocess.run(words, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, check=True)
    built = (json.loads(line) for line in done.stdout.splitlines())
    return next(one["executable"] for one in built if one.get("executable") and one["target"]["name"] == name)


def listed(env, cwd=None):
    """What `ls` says of all runs."""
    done = subprocess.run([NERONET, "ls", "--all", "--json"], env=env, cwd=cwd, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def expect_finished(env, count, cwd=None):
    """The record of what was timed: so many runs, all of them finished."""
    runs = listed(env, cwd)
    finished = sum(1 for one in runs if one["outcome"] == "finished")
    if (len(runs), finished) != (count, count):
        fail(f"{count} runs were to be on record as finished; of {len(runs)} there, {finished} are")
    return runs


def no_ops(name, count):
    """A project whose sweep is so many runs of /bin/true, two at a time."""
    work = folder(name)
    (work / "neronet.toml").write_text(f'command = ["/bin/true", "{{n}}"]\n[params]\nn = {{ repeat = {count} }}\n[sweep]\nparallel = 2\n')
    return work


def xargs(count):
    """The floor of those runs: as many processes, two at a time, and nothing else."""
    return run(["sh", "-c", f"seq {count} | xargs -P2 -n1 /bin/true"], root())


def submit(work, env):
    """Submits the project and waits until all of its runs have ended. The first call with a home starts its daemon, which stops
    with the benchmark at the latest."""
    atexit.register(down, env)
    return run([NERONET, "submit", "--wait", "--quiet", "--yes"], work, env)


def down(env):
    subprocess.run([NERONET, "down"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def fail(why):
    sys.exit(f"error: the measurement failed: {why}")


def alternate(rounds, rehearsed=True, **kinds):
    """Calls each kind in turn, `rounds` times over, after one round that does not count if `rehearsed`. Gives the times of each."""
    for measure in kinds.values() if rehearsed else ():
        measure()
    times = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, measure in kinds.items():
            times[name].append(measure())
    return times


def spread(values, unit="ms", scale=1000):
    """Median, and what it lies between."""
    low, middle, high = (scale * value for value in (min(values), statistics.median(values), max(values)))
    return f"{_short(middle)} {unit} [{_short(low)}..{_short(high)}]"


def ratio_spread(values):
    return f"{statistics.median(values):.3f} x [{min(values):.3f}..{max(values):.3f}]"


def _short(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def say(what, value):
    print(f"  {what:<58} {value}", flush=True)


_rows = []


def promise(figure, bound, measured, met):
    """One promised figure: met or not."""
    _rows.append((figure, bound, measured, "yes" if met else "no"))


def remark(figure, measured):
    """A figure without a bound."""
    _rows.append((figure, "", measured, ""))


def finish():
    """Prints the table of this benchmark, or leaves its rows for the table of all."""
    if ROWS:
        with open(ROWS, "a", newline="") as out:
            csv.writer(out).writerows(_rows)
    else:
        print_table(_rows)


def print_table(rows):
    rows = [("figure", "bound", "measured", "met"), *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print(" | ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def work_tree(path, files):
    """A git work tree of `files` small files in some folders, committed, and old enough to be taken as unchanged."""
    for i in range(files):
        file = path / f"package_{i % 20}" / f"module_{i}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"def function_{i}_{line}():\n    return {line}\n" for line in range(40)))
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-C", str(path)]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "everything"]):
        subprocess.run([*git, *words], check=True)
    # What was written within the last two seconds might change again unseen, so it is read anew.
    time.sleep(3)


def virtual_environment(path, packages):
    """As much of a virtual environment as tells which packages it holds. Gives the variables that activate it."""
    site = path / "lib" / "python3.11" / "site-packages"
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "python").symlink_to(sys.executable)
    (path / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.7\n")
    for i in range(packages):
        info = site / f"package_{i}-1.{i}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: package-{i}\nVersion: 1.{i}\n\n" + "About this package.\n" * 50)
        (info / "RECORD").write_text(f"package_{i}/__init__.py,,\n" * 20)
        (info / "INSTALLER").write_text("pip\n")
    return {"VIRTUAL_ENV": path, "PATH": f"{path / 'bin'}:{os.environ['PATH']}"}


if __name__ == "__main__":
    if ROWS:
        with open(ROWS, newline="") as collected:
            print_table(list(csv.reader(collected)))
