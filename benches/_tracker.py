"""Rows of four metrics into one tracker, as a script writes them: `_tracker.py NAME FOLDER ROWS ANSWER`, run by benches/trackers.py in
the environment of that tracker. Writes as JSON into the file ANSWER the seconds from the first row until its `close` came back, those
of syncing all that it left thereafter, the bytes that this takes, how many rows are found in it, and when the first row came.

Each is used as its documentation says, locally and without what records the machine beside; MLflow by its fastest way, 1,000 values a
call. Starting a run is not timed, nor is importing the package.
"""

import json
import math
import os
import random
import sqlite3
import sys
import time
from pathlib import Path

BLOCK = 32 << 10


def rows(count):
    """What the rows of crates/store/examples/series.rs are like."""
    noise = random.Random(42).random
    made = []
    for step in range(1, count + 1):
        decay = math.exp(-step / 200_000)
        values = (2.3 * decay + 0.2 * (noise() - 0.5), 1 - decay + 0.05 * (noise() - 0.5), 0.001 * decay, 1 + noise() / 2)
        made.append((step, dict(zip(("train/loss", "train/acc", "lr", "grad_norm"), (round(value, 6) for value in values)))))
    return made


# Of each: what takes a row, what ends the run, and a look at how many values of `train/loss` are stored after that.


def event_values(folder):
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    events = (event for file in folder.iterdir() for event in EventFileLoader(str(file)).Load())
    return sum(1 for event in events for value in event.summary.value if value.tag == "train/loss")


def tensorboard(folder):
    """What torch.utils.tensorboard does for `add_scalar`, without torch."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))

    def log(step, values):
        for name, value in values.items():
            writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)])))

    return log, writer.close, lambda: event_values(folder)


def tensorboardx(folder):
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(folder))

    def log(step, values):
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return log, writer.close, lambda: event_values(folder)


def mlflow(uri):
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client = MlflowClient(uri)
    run = client.create_run("0").info.run_id
    batch = []

    def send():
        client.log_batch(run, metrics=batch)
        batch.clear()

    def log(step, values):
        now = int(time.time() * 1000)
        batch.extend(Metric(name, value, now, step) for name, value in values.items())
        if len(batch) == 1000:
            send()

    def close():
        send()
        client.set_terminated(run)

    return log, close, lambda: len(client.get_metric_history(run, "train/loss"))


def mlflow_files(folder):
    # Its own authors would have people use a database by now, and without this refuse files.
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    return mlflow((folder / "mlruns").as_uri())


def mlflow_sqlite(folder):
    return mlflow(f"sqlite:///{folder / 'mlflow.db'}")


def trackio(folder):
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio

    trackio.init("bench", embed=False, auto_log_gpu=False)

    def stored():
        database = sqlite3.connect(folder / "bench.db")
        return database.execute("SELECT count(*) FROM metrics WHERE json_extract(CAST(metrics AS TEXT), '$.\"train/loss\"') IS NOT NULL").fetchone()[0]

    return lambda step, values: trackio.log(values, step), trackio.finish, stored


def unblocked(log):
    """What the records hold of a log in LevelDB's form, with a head of 7 bytes: a record that meets the end of a block goes on in the next."""
    at, held = 7, []
    while at + 7 <= len(log):
        if (left := BLOCK - at % BLOCK) < 7:
            at += left
        else:
            end = at + 7 + int.from_bytes(log[at + 4 : at + 6], "little")
            held.append(log[at + 7 : end])
            at = end
    return b"".join(held)


def wandb(folder):
    import wandb

    run = wandb.init(project="bench", dir=str(folder), mode="offline", settings=wandb.Settings(x_disable_stats=True))

    def stored():
        # It has no reader of its own. The name is there once in a row, and once in the summary that follows it.
        return unblocked(next(folder.rglob("*.wandb")).read_bytes()).count(b"train/loss") // 2

    return lambda step, values: run.log(values, step), run.finish, stored


def aim(folder):
    from aim import Run

    run = Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False)

    def log(step, values):
        for name, value in values.items():
            run.track(value, name, step)

    def stored():
        # Its own reader does not find a run that nobody has indexed yet.
        import aimrocks

        (chunk,) = (folder / ".aim" / "seqs" / "chunks").iterdir()
        keys = aimrocks.DB(str(chunk), aimrocks.Options(), read_only=True).iterkeys()
        keys.seek_to_first()
        return sum(1 for key in keys if b"\xfetrain/loss\xfeval\xfe\xfe" in key)

    return log, run.close, stored


def printed(_):
    """What a script under neronet does."""

    def log(step, values):
        print(f"step={step} " + " ".join(f"{name}={value}" for name, value in values.items()))

    return log, sys.stdout.flush, lambda: None


def synced(folder):
    """Syncs all files there, and says how many bytes they take."""
    taken = 0
    for file in folder.rglob("*"):
        try:
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())
                taken += os.fstat(opened.fileno()).st_size
        except (IsADirectoryError, FileNotFoundError):
            # RocksDB's threads tidy up behind a run.
            pass
    return taken


def main():
    name, folder, count, answer = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    made = rows(count)
    log, close, stored = globals()[name](folder)
    first, began = time.time(), time.perf_counter()
    for step, values in made:
        log(step, values)
    close()
    closed = time.perf_counter()
    taken = synced(folder)
    after = time.perf_counter() - closed
    answer.write_text(json.dumps({"began": first, "seconds": closed - began, "sync": after, "bytes": taken, "rows": stored()}))


main()
