"""Targets over SSH, with real sshd hosts on this machine (tests/clusters/hosts.sh, which needs root): how soon a line that is printed
there appears here while somebody looks on; what the daemon takes with 20 targets of 50 runs each; the first use of a target and later
ones; what is sent again after a connection was cut.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import _bench as bench

HOSTS = Path(__file__).parent.parent / "tests" / "clusters" / "hosts.sh"
HOSTS_DIR = "/var/tmp/neronet-hosts-bench"
NAMES = ("gamma", "delta")
TARGETS, RUNS = 20, 50
LINES = 150
WATCHED = 30
BYTES = 8_000_000

PRINTS = f"""import random, time
for _ in range({LINES}):
    print("at", time.time(), flush=True)
    time.sleep(random.uniform(0.02, 0.2))
"""
# One line every ten seconds, with a metric in it.
RESTS = "i=0; while :; do i=$((i+1)); echo step $i loss 0.$i; sleep 10; done"


def hosts(*words):
    return subprocess.run([HOSTS, *words], env={**os.environ, "HOSTS_DIR": HOSTS_DIR, "HOSTS": " ".join(NAMES), "HOSTS_NET": "10.213.19", "HOSTS_BRIDGE": "nr-bench"}, capture_output=True, text=True)


def listed(env, work, *words):
    return json.loads(subprocess.run([bench.NERONET, "ls", *words, "--json"], cwd=work, env=env, stdout=subprocess.PIPE, check=True).stdout)


def until(what, holds, seconds=120):
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            bench.fail(f"{what}: not within {seconds} s")
        time.sleep(0.1)


def stat(pid):
    """Seconds of processor time, and bytes of memory, of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    memory = next(line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(memory) * 1024


def daemon_of(home):
    return json.loads((home / "daemon.json").read_text())["process"]["pid"]


def children(pid, name):
    found = subprocess.run(["pgrep", "-P", str(pid), "-x", name], stdout=subprocess.PIPE, text=True).stdout
    return [int(pid) for pid in found.split()]


def received(pid):
    return int(next(line.split()[1] for line in Path(f"/proc/{pid}/io").read_text().splitlines() if line.startswith("rchar")))


up = hosts("up")
if up.returncode != 0:
    bench.say("targets over SSH", f"NOT MEASURED: {up.stderr.strip()}")
    sys.exit()

home, work = bench.root() / "home-remote", bench.folder("work-remote")
env = bench.environment(home, bench.root() / "cache-remote", NERONET_SSH_CONFIG=f"{HOSTS_DIR}/config")
env.pop("SSH_AUTH_SOCK", None)
place = f"/home/student/bench-{random.randrange(1 << 40):x}"


def neronet(*words):
    return bench.run([bench.NERONET, *words], work, env)


# The first use brings the binary there; what a login takes is in both.
first = neronet("target", "add", "gpu0", f"ssh://{NAMES[0]}", "--folder", f"{place}/0")
later = [neronet("target", "exec", "gpu0", "--", "true") for _ in range(11)]
plain = [bench.run(["ssh", "-F", f"{HOSTS_DIR}/config", "-T", NAMES[0], "true"], work, env) for _ in range(11)]
bench.say("first use of a target: added, asked, its binary brought", f"{first:.2f} s")
bench.say("later ones: a command there", bench.spread(later))
bench.say("ssh alone", bench.spread(plain))
bench.promise("first use of a fresh target", "under 5 s", f"{first:.2f} s", first < 5)
bench.promise("later ones", "under 300 ms", bench.spread(later), statistics.median(later) < 0.3)
bench.remark("ssh HOST true", bench.spread(plain))

try:
    # A line that is printed there, here.
    (work / "prints.py").write_text(PRINTS)
    neronet("submit", "--target", "gpu0", "--quiet", "--yes", "--", "python3", "-u", "prints.py")
    until("the run starts", lambda: listed(env, work, "--limit", "1")[0]["state"] == "running")
    logs = subprocess.Popen([bench.NERONET, "logs", "-f", "last"], cwd=work, env=env, stdout=subprocess.PIPE, text=True)
    delays, began = [], time.time()
    for line in logs.stdout:
        now = time.time()
        # What was printed before somebody looked on is not waited for.
        if line.startswith("at ") and now - began > 3:
            delays.append(now - float(line.split()[1]))
    if len(delays) < WATCHED:
        bench.fail(f"only {len(delays)} lines were seen as they came")
    middle, worst = statistics.median(delays), max(delays)
    bench.say(f"a line printed there appears here ({len(delays)} lines)", bench.spread(delays))
    bench.promise("a line appears at home while somebody looks on", "median under 100 ms, all within 500 ms", bench.spread(delays), middle < 0.1 and worst < 0.5)

    # A connection is cut; only what is new comes over the next one.
    (work / "long.sh").write_text(f"head -c {BYTES} /dev/zero | tr '\\\\0' x | fold -w 99; sleep 600\n")
    neronet("submit", "--target", "gpu0", "--quiet", "--yes", "--", "sh", "long.sh")
    run = listed(env, work, "--limit", "1", "--sort", "-id")[0]["id"]

    def recorded():
        spool = (home / "runs" / str(run) / "attempts" / "1").glob("output.*")
        return sum(file.stat().st_size for file in spool)

    until("its output is here", lambda: recorded() >= BYTES)
    time.sleep(3)
    daemon = daemon_of(home)
    before = set(children(daemon, "ssh"))
    for pid in before:
        os.kill(pid, 9)
    until("it is connected again", lambda: set(children(daemon, "ssh")) - before)
    time.sleep(5)
    again = sum(received(pid) for pid in set(children(daemon, "ssh")) - before)
    bench.say(f"received over a new connection, with {recorded() / 1e6:.0f} MB here", f"{again / 1e3:.0f} kB")
    bench.promise("a new connection sends nothing that is here", "under 100 kB", f"{again / 1e3:.0f} kB of {recorded() / 1e6:.0f} MB", again < 100_000)
    neronet("kill", str(run))
    until("it has ended", lambda: listed(env, work, "--limit", "1", "--sort", "-id")[0]["state"] == "ended")

    # Many targets, many runs.
    for n in range(1, TARGETS):
        neronet("target", "add", f"gpu{n}", f"ssh://{NAMES[n % 2]}", "--folder", f"{place}/{n % 2}-{n}")
    for n in range(TARGETS):
        values = ",".join(map(str, range(RUNS)))
        neronet(
            "submit", "--target", f"gpu{n}", "--quiet", "--yes", "--set", f"n={values}", "--set", f"sweep.parallel={RUNS}",
            "--set", "resources.gpus=0", "--", "sh", "-c", RESTS, "{n}",
        )
    until("all run", lambda: sum(run["state"] == "running" for run in listed(env, work)) >= TARGETS * RUNS, 400)
    time.sleep(30)
    daemon = daemon_of(home)
    (from_cpu, _), from_time = stat(daemon), time.monotonic()
    time.sleep(60)
    (to_cpu, memory), took = stat(daemon), time.monotonic() - from_time
    share = (to_cpu - from_cpu) / took
    ssh = sum(stat(pid)[0] for pid in children(daemon, "ssh"))
    bench.say(f"daemon with {TARGETS} targets of {RUNS} runs", f"{memory / 1e6:.0f} MB, {share:.1%} of a core (its ssh since the start: {ssh:.0f} s)")
    bench.promise(f"daemon with {TARGETS} targets of {RUNS} runs each", "under 100 MB, 3 % of a core", f"{memory / 1e6:.0f} MB, {share:.1%}", memory < 100e6 and share < 0.03)
finally:
    subprocess.run([bench.NERONET, "kill", "-a", "state != ended", "--yes"], cwd=work, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(5)
    bench.down(env)
    for host in NAMES:
        hosts("exec", host, "pkill", "-KILL", "-f", place)
        hosts("exec", host, "rm", "-rf", place)
    hosts("down")
bench.finish()
