"""Files of 1 GB to a target and from it, beside scp over the same hosts (tests/clusters/hosts.sh, which needs root), turn about.

Both end with the bytes in their place; neronet has hashed them at both ends and made them durable, which scp does not. scp is called
as everybody calls it, and once more with the cipher that neronet chooses for files.
"""

import json
import os
import statistics
import subprocess

import _bench as bench

ROUNDS = 3
BYTES = 1 << 30
HOSTS = bench.Path(__file__).parent.parent / "tests/clusters/hosts.sh"
FOLDER = "/home/student/bench"

hosts = os.environ.setdefault("HOSTS_DIR", "/var/tmp/neronet-hosts")
os.environ["HOSTS_SFTP"] = "1"
up = subprocess.run([str(HOSTS), "up"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
if up.returncode != 0:
    print(f"NOT MEASURED: targets over SSH: {up.stderr.strip()}")
    raise SystemExit(0)
config = f"{hosts}/config"
work = bench.folder("project")
env = bench.environment(bench.root() / "home", bench.root() / "cache", NERONET_SSH_CONFIG=config)
there = bench.Path(hosts) / "alpha" / FOLDER.lstrip("/")


def neronet(*words):
    return bench.run([bench.NERONET, *words], work, env)


def scp(source, to, *options):
    return bench.run(["scp", "-q", "-F", config, *options, source, to], work)


def fresh(*paths):
    for path in paths:
        path.unlink(missing_ok=True)
    os.sync()


neronet("target", "add", "gpu1", "ssh://alpha", "--folder", FOLDER)
(work / "neronet.toml").write_text(f'command = "head -c {BYTES} /dev/urandom > big.bin"\ntarget = "gpu1"\n')
bench.submit(work, env)
uid = json.loads((bench.root() / "home/home.json").read_text())["uid"]
source = f"{FOLDER}/{uid}/gpu1/runs/1/work/big.bin"
fetched, copied = bench.root() / "home/runs/1/work/big.bin", work / "big.bin"


def fetch():
    fresh(fetched)
    took = neronet("fetch", "1", "big.bin")
    if fetched.stat().st_size != BYTES:
        bench.fail("what was fetched is not all of it")
    return took


def scp_from(*options):
    fresh(copied)
    return scp(f"alpha:{source}", str(copied), *options)


def push():
    fresh(there / "sets/big.bin")
    took = neronet("push", "gpu1", "big.bin", "--to", "sets")
    if (there / "sets/big.bin").stat().st_size != BYTES:
        bench.fail("what was pushed is not all of it")
    return took


def scp_to(*options):
    fresh(there / "scp.bin")
    return scp("big.bin", f"alpha:{FOLDER}/scp.bin", *options)


QUICK = ("-c", "aes128-gcm@openssh.com")
down = bench.alternate(ROUNDS, scp=scp_from, quick=lambda: scp_from(*QUICK), neronet=fetch)
up = bench.alternate(ROUNDS, scp=scp_to, quick=lambda: scp_to(*QUICK), neronet=push)
again = [neronet("push", "gpu1", "big.bin", "--to", "sets") for _ in range(ROUNDS)]
fresh(there / "scp.bin", there / "sets/big.bin", fetched)

for name, times in (("fetch", down), ("push", up)):
    speed = [scp / own for scp, own in zip(times["scp"], times["neronet"])]
    bench.say(f"{name} of 1 GB", bench.spread(times["neronet"], "s", 1))
    bench.say("  by scp", bench.spread(times["scp"], "s", 1))
    bench.say("  by scp, with neronet's cipher", bench.spread(times["quick"], "s", 1))
    bench.promise(f"{name} of 1 GB beside scp", "80 % of its speed", bench.ratio_spread(speed), statistics.median(speed) >= 0.8)
bench.remark("push of 1 GB that is there already", bench.spread(again))
bench.finish()
