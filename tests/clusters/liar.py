#!/usr/bin/env python3
"""An agent that lies: the real one stands behind it, and the file `mode` beside it says what becomes of its answers."""
import json, os, struct, subprocess, sys, threading

HERE = os.path.dirname(os.path.abspath(__file__))
real = subprocess.Popen([HERE + "/real", *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
out, asked, one = sys.stdout.buffer, {}, threading.Lock()
known = {"run": 1, "journal": 0}


def read(stream):
    lengths = stream.read(8)
    if len(lengths) < 8:
        os._exit(0)
    head, body = struct.unpack("<II", lengths)
    return json.loads(stream.read(head)), stream.read(body)


def write(stream, head, body=b""):
    raw(stream, json.dumps(head).encode(), body)


def raw(stream, head, body=b""):
    try:
        with one:
            stream.write(struct.pack("<II", len(head), len(body)) + head + body)
            stream.flush()
    except OSError:
        os._exit(0)


def endless(head):
    while True:
        raw(out, head)


def questions():
    while True:
        head, body = read(sys.stdin.buffer)
        ask = head["ask"]
        name, what = (ask, {}) if isinstance(ask, str) else next(iter(ask.items()))
        asked[head["id"]] = (name, what)
        if name == "follow":
            known["journal"] = what["journal"]
            known["run"] = ([run["run"] for run in what["runs"]] + [known["run"]])[0]
        if name == "more":
            with open(HERE + "/asked", "a") as count:
                count.write(".")
            if open(HERE + "/mode").read() != mode:
                os._exit(0)
            if news(mode, head["id"]):
                asked.pop(head["id"])
                continue
        write(real.stdin, head, body)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def entry(what):
    text = json.dumps(what).encode()
    return b"NRJ1" + struct.pack("<II", len(text), crc32c(text)) + text


# Of the run of another target, and of runs that nobody gave it.
def claims():
    end = {"attempt": {"n": 1}, "outcome": "finished", "started": 0, "metrics": {}}
    grant = {"machine": "local", "cpus": 2**32 - 1}
    driver = {"host": "h", "boot": "b", "pid_namespace": 1, "pid": 1, "start": 1}
    for run in (1, 2, 77):
        yield entry({"started": {"at": 0, "run": run, "attempt": 1, "grant": grant, "driver": driver}})
        yield entry({"ended": {"run": run, "end": end}})
    decision = {"run": known["run"], "attempt": 10**15, "again": "retry", "driver": None, "because": "it says so"}
    yield entry({"decided": {"at": 0, "decision": decision}})


def pieces(id, path=None, begins=0, said=6, body=b"pwned\n", run=None):
    piece = {"run": run or known["run"], "path": path, "from": begins, "bytes": said}
    if path is None:
        piece = {"run": None, "from": begins, "bytes": len(body)}
    write(out, {"id": id, "reply": {"pieces": [piece]}}, body)


def news(mode, id):
    """Instead of what is new. False where that is not lied about."""
    record = "attempts/1/events.1.jsonl"
    if mode == "huge":
        out.write(b"\xff" * 8)
        out.flush()
    elif mode == "garbage":
        raw(out, b'{"id": [}')
    elif mode == "unasked":
        endless(json.dumps({"id": 10**9, "reply": "done"}).encode())
    elif mode == "above":
        pieces(id, "../../../pwned")
    elif mode == "absolute":
        pieces(id, "/tmp/pwned")
    elif mode == "winding":
        pieces(id, "attempts/1/../../../../pwned")
    elif mode == "fewer":
        pieces(id, record, said=600)
    elif mode == "more":
        pieces(id, record, said=2)
    elif mode == "gap":
        pieces(id, record, begins=10**15)
    elif mode == "empty":
        write(out, {"id": id, "reply": {"pieces": []}})
    elif mode == "others":
        pieces(id, record, run=1)
    elif mode == "next":
        # Of an attempt that somebody else may begin, were it believed.
        pieces(id, "attempts/2/events.1.jsonl")
    elif mode == "noise":
        pieces(id, begins=known["journal"], body=b"pwned\n" * 150000)
        known["journal"] += 900000
    elif mode == "claims":
        body = b"".join(claims())
        pieces(id, begins=known["journal"], body=body)
        known["journal"] += len(body)
    else:
        return False
    return True


def told(mode, name, what, reply, body):
    """What becomes of an answer to anything else."""
    kind = None if isinstance(reply, str) else next(iter(reply))
    if mode == "opened" and kind == "opened":
        stranger = {"run": 1, "uid": reply[kind]["uid"], "attempt": 1, "started": True, "ended": False}
        reply[kind]["runs"] = [dict(run, attempt=7, ended=True) for run in reply[kind]["runs"]] + [stranger]
    if mode == "machine" and kind == "machine":
        gpus = [{"id": "\x1b[2Jpwned", "index": 2**32 - 1, "name": "\x1b[2Jpwned", "vendor": "amd", "memory": 2**64 - 1}]
        machine = reply[kind]["place"]["machine"]
        machine.update(cores=[2**32 - 1] * 9, memory=2**64 - 1, gpus=gpus)
        reply[kind].update(now=-(2**63))
    if mode == "refused" and kind in ("opened", "machine"):
        reply = {"refused": "\x1b[2Jpwned" * 50000}
    if kind == "listed":
        first = {"path": "work/out/a.bin", "bytes": 3000000, "modified": 0}
        if mode == "list-above":
            reply[kind]["entries"] = [dict(first, path="../../pwned")]
        if mode == "list-other":
            reply[kind]["entries"] = [dict(first, path="work/pwned")]
        if mode == "list-endless":
            page = [dict(first, path="work/out/%d-%d.bin" % (what["from"], n)) for n in range(8000)]
            reply[kind].update(entries=page, more=True)
        if mode == "list-huge":
            reply[kind]["entries"] = [dict(first, bytes=2**64 - 1), dict(first, path="work/out/b.bin", bytes=2**64 - 1)]
    if kind == "file":
        if mode == "file-longer" and 0 < len(body) < 2**20:
            body += b"pwned"
        if mode == "file-shorter" and body:
            body = body[:-1]
        if mode == "file-grows":
            known["journal"] += 1
            reply[kind]["bytes"] += known["journal"]
        if mode == "file-other":
            body = b"pwned" * (len(body) // 5) + body[len(body) // 5 * 5 :]
        if mode == "file-hash" and "sha256" in reply[kind]:
            reply[kind]["sha256"] = "0" * 64
        if mode == "file-unhashed":
            reply[kind].pop("sha256", None)
    return reply, body


mode = open(HERE + "/mode").read()
threading.Thread(target=questions, daemon=True).start()
hello, _ = read(real.stdout)
if mode == "endless":
    while True:
        raw(out, b"x" * 65536)
if mode == "flood":
    try:
        while True:
            out.write(b"pwned\n" * 10000)
    except OSError:
        os._exit(0)
if mode == "newer":
    hello.update(protocol=9, oldest=8, version="\x1b[2J" + "9" * 100000)
write(out, hello)
while True:
    head, body = read(real.stdout)
    name, what = asked.pop(head["id"])
    head["reply"], body = told(mode, name, what, head["reply"], body)
    write(out, head, body)
