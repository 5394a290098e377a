"""Points of metrics from the spool to the projection, and from there to charts: a run of 1,000,000 rows with four metrics.

Beside it the same rows as JSON lines, written and synced, and read again by Python; and SQLite, by the transaction of 1,000 rows.
Charts are drawn warm and cold: with the files of the run out of the page cache, and for root also with everything out of it, which the
whole machine notices for a moment.
"""

import json
import os
import sqlite3
import subprocess
import time

import _bench as bench

ROWS = 1_000_000
folder = bench.folder("store")
done = subprocess.run([bench.example("neronet-store", "series"), folder / "ours", str(ROWS)], stdout=subprocess.PIPE, check=True)
found = json.loads(done.stdout)
if found["points"] != 4 * ROWS:
    bench.fail(f"{4 * ROWS} points were to be stored, {found['points']} were")
spool = folder / "ours" / "run" / "attempts" / "1" / "metrics.1.jsonl"


def read_as_json():
    """What whoever keeps JSON lines does to draw one metric."""
    began = time.perf_counter()
    with open(spool, encoding="utf-8") as lines:
        count = sum(1 for line in lines if "train/loss" in json.loads(line)["m"])
    if count != ROWS:
        bench.fail(f"{ROWS} lines were to be read, {count} were")
    return time.perf_counter() - began


def write_as_json(rows):
    """What they do to keep them: a line a row, synced at the end."""
    with open(spool, encoding="utf-8") as lines:
        told = [json.loads(line) for _, line in zip(range(rows), lines)]
    began = time.perf_counter()
    with open(folder / "rows.jsonl", "w", encoding="utf-8") as out:
        for row in told:
            out.write(json.dumps({"step": row["step"], "t": row["t"], **row["m"]}) + "\n")
        out.flush()
        os.fsync(out.fileno())
    return time.perf_counter() - began


def fill_sqlite(rows):
    database = sqlite3.connect(folder / "points.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE points(metric TEXT, step INTEGER, time INTEGER, value REAL)")
    began = time.perf_counter()
    with open(spool, encoding="utf-8") as lines:
        batch = []
        for at, line in enumerate(lines):
            if at == rows:
                break
            row = json.loads(line)
            batch += [(name, row["step"], row["t"], value) for name, value in row["m"].items()]
            if len(batch) == 4_000:
                database.executemany("INSERT INTO points VALUES(?, ?, ?, ?)", batch)
                database.commit()
                batch = []
    took = time.perf_counter() - began
    database.close()
    return took


as_json = read_as_json()
some = ROWS // 10
written = write_as_json(some)
written_bytes = os.path.getsize(folder / "rows.jsonl") / (4 * some)
sqlite = fill_sqlite(some)
sqlite_bytes = os.path.getsize(folder / "points.db") / (4 * some)

ours = found["points_per_s"]
bench.say("from the spool to the projection, synced", f"{ours / 1e6:.2f} million points a second")
bench.say("the same into SQLite, 1,000 rows a transaction", f"{4 * some / sqlite / 1e6:.2f} million points a second, {sqlite_bytes:.1f} bytes a point")
bench.say("the same into JSON lines by Python, synced once", f"{4 * some / written / 1e6:.2f} million points a second, {written_bytes:.1f} bytes a point")
bench.say("a metric out of the same rows by Python's json", f"{as_json:.2f} s")
for what, name in [("drawn", "1,000,000 points at 1,000 buckets"), ("zoomed", "a tenth of them"), ("half", "a half of them"), ("exact", "all of them, each")]:
    bench.say(name, f"{found[what + '_ms']:.2f} ms")

bench.promise("points from spool to projection, a second", "2 million", f"{ours / 1e6:.2f} million", ours >= 2e6)
bench.promise("the projection", "3 bytes a point", f"{found['bytes_per_point']:.2f}", found["bytes_per_point"] <= 3)
bench.promise("the sealed spool", "8 bytes a point", f"{found['sealed_bytes_per_point']:.2f}", found["sealed_bytes_per_point"] <= 8)
for what, name in [("cold", "its files not in memory"), ("cold_machine", "nothing in memory")]:
    if f"{what}_ms" in found:
        bench.promise(f"1,000,000 points at 1,000 buckets, {name}", "under 5 ms", f"{found[what + '_ms']:.2f} ms", found[what + "_ms"] < 5)
    else:
        bench.remark(f"1,000,000 points at 1,000 buckets, {name}", "not measured: only root can empty the page cache")
bench.promise("1,000,000 points at 1,000 buckets, warm", "under 1 ms", f"{found['drawn_ms']:.2f} ms", found["drawn_ms"] < 1)
bench.promise("100 series of 1,000,000 points", "under 150 ms", f"{found['hundred_ms']:.1f} ms", found["hundred_ms"] < 150)
bench.remark("beside SQLite, by the row of Python", f"{ours / (4 * some / sqlite):.1f} x as many points a second")
bench.remark("beside JSON lines, by the row of Python", f"{ours / (4 * some / written):.1f} x as many points a second")
bench.finish()
