"""What Python's trackers make of rows of four metrics, beside what we do from the spool to the projection, in one run; and an event
file of TensorBoard's, read by its data server and by us.

Trackers write as few rows as take them some seconds, each in an environment of its own (`_tracker.py`). Their time begins with the
first row and ends when the run is closed and everything has been synced, by us where the tracker leaves that to the kernel, so that a
crash of the machine costs its users points. What a script needs on the way to our spool is measured too, from the first row that it
prints until its run has ended. `scripts/setup.sh trackers` gets the trackers; what is not there is named.
"""

import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import _bench as bench

ROUNDS = 3
OURS = 250_000  # rows, of four points each
PRINTED = 100_000
EVENTS = 2_000_000  # points
PATIENCE = 120
HERE = Path(__file__).parent
PEERS = HERE.parent / ".cache" / "peers"
GET = "get it by `scripts/setup.sh trackers`"
# name with its version, how it is named by _tracker.py, the environment, the package whose version counts, rows, and whether what it was told is synced
# by itself when its run has been closed, which strace shows.
ALL = [
    ("TensorBoard {}, EventFileWriter", "tensorboard", "tensorboard", "tensorboard", 4_000, False),
    ("tensorboardX {}", "tensorboardx", "tensorboard", "tensorboardX", 4_000, True),
    ("MLflow {} into files", "mlflow_files", "mlflow", "mlflow-skinny", 3_000, False),
    ("MLflow {} into SQLite", "mlflow_sqlite", "mlflow", "mlflow-skinny", 3_000, True),
    ("trackio {}", "trackio", "trackio", "trackio", 30_000, True),
    ("wandb {} offline", "wandb", "wandb", "wandb", 3_000, False),
    ("Aim {}", "aim", "aim", "aim", 1_500, True),
]
state = bench.folder("trackers")
env = bench.environment(state / "home", state / "cache", HOME=state, PYTHONDONTWRITEBYTECODE=1)
env = {name: value for name, value in env.items() if not name.startswith(("WANDB_", "MLFLOW_", "TRACKIO_", "AIM_", "HF_"))}
# None of them is to ask the net, nor to follow the terminal.
env |= {"WANDB_SILENT": "true", "WANDB_CONSOLE": "off", "WANDB_DISABLE_GIT": "true", "WANDB_ERROR_REPORTING": "false"}
env |= {"MLFLOW_DISABLE_TELEMETRY": "true", "HF_HUB_OFFLINE": "1"}
# Where Python does not take our queue.py and schedule.py for modules of its own.
shutil.copy(HERE / "_tracker.py", state)
made = 0


def fresh():
    global made
    made += 1
    return bench.folder(f"trackers/{made}")


def version(environment, package):
    """None where it is not installed."""
    words = [PEERS / environment / "bin" / "python", "-I", "-c", f"import importlib.metadata as m; print(m.version({package!r}))"]
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def answered(words, answer):
    """Runs what writes its answer there as JSON."""
    with open(state / "log", "w+") as log:
        try:
            done = subprocess.run([*words, answer], cwd=state, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            bench.fail(f"{' '.join(map(str, words))} had not ended after {PATIENCE} s")
        if done.returncode != 0:
            log.seek(0)
            bench.fail(f"{' '.join(map(str, words))} ended with {done.returncode}: {log.read()[-2000:]}")
    return json.loads(Path(answer).read_text())


def tracked(kind, environment, rows):
    """Points a second until all are durable, and bytes a point."""
    folder = fresh()
    python = PEERS / environment / "bin" / "python"
    found = answered([python, "-I", HERE / "_tracker.py", kind, folder, str(rows)], f"{folder}.json")
    if found["rows"] != rows:
        bench.fail(f"{kind} was told {rows} rows, of which {found['rows']} are found")
    return 4 * rows / (found["seconds"] + found["sync"]), found["bytes"] / (4 * rows)


def ours():
    """From the spool to the projection, synced."""
    done = subprocess.run([series, fresh(), str(OURS), "stored"], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    return found["points_per_s"], found["bytes_per_point"]


def printed():
    """From the first row that a script prints to the end of its run, which is synced."""
    work = fresh()
    answer = work / "answer"
    words = [sys.executable, state / "_tracker.py", "printed", work, PRINTED, answer]
    bench.run([bench.NERONET, "run", "--quiet", "--", *map(str, words)], work, env)
    took = time.time() - json.loads(answer.read_text())["began"]
    stored = [metric["points"] for metric in bench.listed(env, work)[-1]["metrics"].values()]
    if stored.count(PRINTED) != 4:
        bench.fail(f"{PRINTED} rows of four metrics were printed; on record are {stored}")
    return 4 * PRINTED / took, None


def write_events():
    """An event file, as PyTorch writes it: one value in each event."""
    folder = state / "events"
    told = subprocess.run([events, folder / "run", str(EVENTS)], stdout=subprocess.PIPE, text=True, check=True).stdout
    if not re.search(rf"\b{EVENTS} points", told):
        bench.fail(f"{EVENTS} points were to be read from an event file: {told}")
    return folder


def served(samples):
    """Seconds from the start of the data server until it has loaded that, and its memory."""
    python = PEERS / "tensorboard" / "bin" / "python"
    found = answered([python, "-I", HERE / "_data_server.py", written, samples], state / "served.json")
    if found["last"] != [EVENTS // 4 - 1] * 4 or samples == "all" and found["points"] != EVENTS:
        bench.fail(f"the data server was to load {EVENTS} points, and knows of {found}")
    return found["seconds"], found["memory"]


def rate(measured):
    return bench.spread([points for points, _ in measured], "points/s", 1)


def ratios(these, those):
    return [one[0] / other[0] for one, other in zip(times[these], times[those])]


series = bench.example("neronet-store", "series")
events = bench.example("neronet-foreign", "events")
kinds, durable = {"ours": ours, "printed": printed}, []
for name, kind, environment, package, rows, synced in ALL:
    if found := version(environment, package):
        name = name.format(found)
        kinds[name] = lambda kind=kind, environment=environment, rows=rows: tracked(kind, environment, rows)
        durable += [name] if synced else []
    else:
        name = name.replace(" {}", "")
        bench.say(f"{name} is not measured: it is not installed", GET)
        bench.remark(f"points a second beside {name}", f"not measured: {GET}")
trackers = [name for name in kinds if name not in ("ours", "printed")]
times = bench.alternate(ROUNDS, rehearsed=False, **kinds)

bench.say("neronet, from the spool to the projection, synced", f"{rate(times['ours'])}, {times['ours'][0][1]:.1f} bytes a point")
bench.say("neronet, from a script's print to the end of its run", rate(times["printed"]))
for name in trackers:
    synced = "synced by itself" if name in durable else "synced by us alone"
    bench.say(f"{name}, {synced}", f"{rate(times[name])}, {times[name][0][1]:.1f} bytes a point")
    beside = [statistics.median(ratios(one, name)) for one in ("ours", "printed")]
    bench.remark(f"points a second beside {name}", f"{beside[0]:.0f} x; from a script's print {beside[1]:.1f} x")
if durable:
    best = max(durable, key=lambda name: statistics.median(points for points, _ in times[name]))
    beside = ratios("ours", best)
    bench.promise(f"points a second beside {best}, the fastest durable one", "20 x", bench.ratio_spread(beside), statistics.median(beside) >= 20)

found = version("tensorboard", "tensorboard-data-server")
if found:
    written = write_events()
    reads = bench.alternate(
        ROUNDS,
        ours=lambda: bench.run_with_memory([events, written]),
        sampled=lambda: served("default"),
        all=lambda: served("all"),
    )
    for kind, name in (("ours", "neronet"), ("sampled", f"data server {found}"), ("all", f"data server {found}, all kept")):
        held = statistics.median(memory for _, memory in reads[kind])
        bench.say(f"{EVENTS:,} points of an event file: {name}", f"{bench.spread([took for took, _ in reads[kind]])}, {held / 1e6:.0f} MB")
    # By its defaults it reads every point and keeps 1,000 a metric in memory; we hand each on and keep none.
    for kind, name in (("sampled", "data server"), ("all", "data server that keeps all")):
        faster = [theirs[0] / own[0] for theirs, own in zip(reads[kind], reads["ours"])]
        bench.promise(f"an event file beside TensorBoard's {name}", "faster", f"{bench.ratio_spread(faster)} as fast", statistics.median(faster) > 1)
else:
    bench.say("TensorBoard's data server is not measured: it is not installed", GET)
    bench.remark("event files beside TensorBoard's data server", f"not measured: {GET}")
bench.finish()
