#!/usr/bin/env python3
"""Makes the samples beside this file with the real libraries. What is logged here, the tests expect.

    python3 -m venv venv && venv/bin/pip install tensorboard tensorboardX mlflow-skinny wandb sacred
    venv/bin/python make.py

Host and user are masked, so that nothing of the machine is in them.
"""

import math
import os
import re
import shutil
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = "/tmp/samples"

os.environ.update(USER="ada", LOGNAME="ada", LNAME="ada", USERNAME="ada", GIT_PYTHON_REFRESH="quiet", MLFLOW_ALLOW_FILE_STORE="true")
os.environ.update(WANDB_MODE="offline", WANDB_HOST="lab1", WANDB_USERNAME="ada", WANDB_SILENT="true", WANDB_DISABLE_GIT="true")
os.environ.update(WANDB_DISABLE_CODE="true", WANDB__DISABLE_META="false", WANDB__DISABLE_STATS="true", WANDB_CACHE_DIR=WORK + "/cache")
socket.gethostname = lambda: "lab1"

STEPS = 40


def loss(step):
    return math.exp(-step / 10.0)


def tensorboard():
    from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
    from tensorboard.plugins.scalar import metadata as scalar_metadata
    from tensorboard.plugins.text import metadata as text_metadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util import tensor_util
    import numpy as np

    top = os.path.join(HERE, "tensorboard")
    shutil.rmtree(top, ignore_errors=True)

    # As PyTorch and tensorboardX write: simple values.
    import tensorboardX

    with tensorboardX.SummaryWriter(os.path.join(top, "simple")) as writer:
        for step in range(STEPS):
            writer.add_scalar("train/loss", loss(step), step, walltime=1_700_000_000 + step / 4)
            writer.add_scalar("train/µ", step * 0.5, step, walltime=1_700_000_000 + step / 4)
        writer.add_scalar("odd", float("nan"), 1, walltime=1_700_000_100)
        writer.add_scalar("odd", float("inf"), 2, walltime=1_700_000_100)
        writer.add_text("about", "a *text*\nof two lines", 3, walltime=1_700_000_100)
        writer.add_histogram("weights", np.arange(10.0), 3)
        writer.add_image("picture", np.zeros((3, 4, 4), dtype=np.uint8), 3)

    # As TensorFlow 2 writes: tensors with metadata, and the plugin hparams.
    folder = os.path.join(top, "nested", "tensors")
    writer = EventFileWriter(folder)

    def add(step, tag, value_metadata, tensor):
        value = summary_pb2.Summary.Value(tag=tag, metadata=value_metadata, tensor=tensor)
        summary = summary_pb2.Summary(value=[value])
        writer.add_event(event_pb2.Event(wall_time=1_700_001_000 + step, step=step, summary=summary))

    def session(tag, data):
        add(0, tag, metadata.create_summary_metadata(data), metadata.NULL_TENSOR)

    start = plugin_data_pb2.SessionStartInfo(start_time_secs=1_700_000_999.5)
    start.hparams["lr"].number_value = 0.001
    start.hparams["batch_size"].number_value = 64
    start.hparams["optimizer"].string_value = "adam"
    start.hparams["nesterov"].bool_value = True
    session(metadata.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=start))
    scalar = scalar_metadata.create_summary_metadata("", "")
    kinds = {"float": types_pb2.DT_FLOAT, "double": types_pb2.DT_DOUBLE, "half": types_pb2.DT_HALF, "int": types_pb2.DT_INT32}
    for step in range(5):
        for name, kind in kinds.items():
            number = step + (0 if name == "int" else 0.25)
            add(step, name, scalar if step == 0 else None, tensor_util.make_tensor_proto(number, dtype=kind))
        raw = tensor_pb2.TensorProto(dtype=types_pb2.DT_DOUBLE, tensor_content=np.float64(step / 3).tobytes())
        add(step, "content", scalar, raw)
    text = tensor_util.make_tensor_proto(["first", "second"], dtype=types_pb2.DT_STRING)
    add(2, "notes", text_metadata.create_summary_metadata("", ""), text)
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=1_700_001_500)
    session(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end))
    writer.close()

    # A run with the parameters of add_hparams, which go to a folder of their own.
    with tensorboardX.SummaryWriter(os.path.join(top, "session")) as writer:
        writer.add_scalar("loss", 0.5, 1, walltime=1_700_003_000)
        writer.add_hparams({"lr": 0.1, "bsize": 4, "relu": True}, {"hparam/accuracy": 0.75}, name="1700003001.25")

    # A training that was killed at step 19, and went on from step 10 in a second file.
    folder = os.path.join(top, "restarted")
    for begin, count, number in [(0, 20, 0), (10, 20, 1)]:
        writer = EventFileWriter(folder)
        log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        writer.add_event(event_pb2.Event(wall_time=1_700_002_000 + number * 100, step=begin, session_log=log))
        for step in range(begin, begin + count):
            value = summary_pb2.Summary.Value(tag="loss", simple_value=loss(step) + number)
            when = 1_700_002_000 + number * 100 + step
            writer.add_event(event_pb2.Event(wall_time=when, step=step, summary=summary_pb2.Summary(value=[value])))
        writer.close()
        time.sleep(1.1)  # the name of a file begins with the second

    # The names hold the second, the process and a counter; fixed ones keep the tests readable.
    for inner, seconds in [("simple", [1_700_000_000]), ("nested/tensors", [1_700_001_000]), ("restarted", [1_700_002_000, 1_700_002_100]),
                           ("session", [1_700_003_000]), ("session/1700003001.25", [1_700_003_001])]:
        files = sorted(name for name in os.listdir(os.path.join(top, inner)) if name.startswith("events"))
        assert len(files) == len(seconds), files
        for name, second in zip(files, seconds):
            os.rename(os.path.join(top, inner, name), os.path.join(top, inner, f"events.out.tfevents.{second}.lab1.4242.0"))


def mlflow():
    import mlflow
    from mlflow.entities import Metric

    top = os.path.join(HERE, "mlruns")
    shutil.rmtree(top, ignore_errors=True)
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    os.chdir(WORK)
    mlflow.set_tracking_uri("file:" + WORK + "/mlruns")
    mlflow.set_experiment("digits")
    client = mlflow.MlflowClient()
    with mlflow.start_run(run_name="good one") as run:
        first = run.info.run_id
        mlflow.log_params({"lr": 0.001, "optimizer": "adam", "model/layers": 3, "augment": True, "note": "two\nlines"})
        when = 1_700_000_000_000
        series = [Metric("train/loss", loss(step), when + step * 250, step) for step in range(STEPS)]
        series += [Metric("acc", step / STEPS, when + step * 250, step) for step in range(STEPS)]
        series += [Metric("odd", value, when, step) for step, value in enumerate([float("nan"), float("inf"), float("-inf")])]
        client.log_batch(first, metrics=series)
        mlflow.set_tags({"team": "vision", "mlflow.note.content": "a note\nof two lines", "mlflow.source.git.commit": "0123abcd" * 5})
        os.makedirs("files", exist_ok=True)
        with open("files/weights.txt", "w", encoding="utf-8") as file:
            file.write("0 1 2\n")
        mlflow.log_artifact("files/weights.txt", "model")
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("loss", 0.5, step=1)
    try:
        with mlflow.start_run(run_name="failed") as run:
            third = run.info.run_id
            raise RuntimeError("on purpose")
    except RuntimeError:
        pass
    client.delete_run(third)
    shutil.copytree(WORK + "/mlruns", top)
    # What is there by itself, and has nothing in it.
    shutil.rmtree(os.path.join(top, "0"), ignore_errors=True)
    shutil.rmtree(os.path.join(top, ".trash"), ignore_errors=True)


def wandb():
    import wandb

    top = os.path.join(HERE, "wandb")
    shutil.rmtree(top, ignore_errors=True)
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    os.chdir(WORK)
    settings = wandb.Settings(host="lab1", username="ada", disable_git=True, x_disable_stats=True, x_disable_machine_info=True, console="wrap")
    config = {"lr": 0.001, "layers": [64, 32], "model": {"name": "mlp", "dropout": None}, "augment": True}
    run = wandb.init(project="digits", name="good one", id="abcd1234", notes="a note", tags=["vision", "new"], group="sweep1",
                     config=config, settings=settings, dir=WORK)
    print("hello from the run")
    for step in range(STEPS):
        run.log({"train/loss": loss(step), "acc": step / STEPS, "nested": {"deep": step}})
    run.log({"odd": float("nan"), "histogram": wandb.Histogram([1, 2, 3]), "word": "text"})
    run.config.update({"late": 5})
    run.summary["best"] = 0.875
    # A record that is longer than a block of the file.
    run.log({f"wide/{i:04}": i for i in range(1500)})
    run.finish(exit_code=0)
    wandb.teardown()  # only then all is in the file
    folder = next(name for name in os.listdir(WORK + "/wandb") if name.startswith("offline-run-"))
    inner = os.path.join(top, "offline-run-20231114_221320-abcd1234")
    os.makedirs(inner)
    shutil.copy(os.path.join(WORK, "wandb", folder, "run-abcd1234.wandb"), inner)
    # Of the files beside it one that is wandb's, and one as a user leaves.
    os.makedirs(os.path.join(inner, "files", "media"))
    shutil.copy(os.path.join(WORK, "wandb", folder, "files", "output.log"), os.path.join(inner, "files"))
    with open(os.path.join(inner, "files", "media", "picture.txt"), "w", encoding="utf-8") as file:
        file.write("a picture")


SACRED = """
import socket, sys
socket.gethostname = lambda: "lab1"
import platform
platform.node = lambda: "lab1"
from sacred import Experiment, SETTINGS
SETTINGS.CAPTURE_MODE = "sys"
SETTINGS.HOST_INFO.INCLUDE_GPU_INFO = False
SETTINGS.HOST_INFO.INCLUDE_CPU_INFO = False
from sacred.observers import FileStorageObserver
experiment = Experiment("digits", base_dir="/tmp/samples", save_git_info=False)
experiment.observers.append(FileStorageObserver("/tmp/samples/sacred"))

@experiment.config
def config():
    lr = 0.001
    layers = [64, 32]
    model = {"name": "mlp", "dropout": None, "span": (1, 2)}
    bound = float("inf")

@experiment.main
def main(_run, lr, fail=False):
    import math
    print("hello from the run")
    for step in range(40):
        _run.log_scalar("train/loss", math.exp(-step / 10.0), step)
        _run.log_scalar("acc", step / 40, step)
    _run.log_scalar("odd", float("nan"), 1)
    _run.info["seen"] = 12
    with open("/tmp/samples/weights.txt", "w") as file:
        file.write("0 1 2")
    _run.add_artifact("/tmp/samples/weights.txt")
    if fail:
        raise RuntimeError("on purpose")
    return 0.875

experiment.run(config_updates={"seed": 7}, options={"--name": None, "--comment": "a comment"})
try:
    experiment.run(config_updates={"seed": 8, "fail": True})
except RuntimeError:
    pass
"""


def sacred():
    top = os.path.join(HERE, "sacred")
    shutil.rmtree(top, ignore_errors=True)
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    os.chdir(WORK)
    with open("train.py", "w", encoding="utf-8") as file:
        file.write(SACRED)
    subprocess.run([sys.executable, "train.py"], check=True)
    shutil.copytree(WORK + "/sacred", top, ignore=shutil.ignore_patterns("_sources"))
    # A traceback names the folder of the libraries, and the host its kernel.
    for number in "12":
        path = os.path.join(top, number, "run.json")
        with open(path, encoding="utf-8") as file:
            text = re.sub(r'File \\"[^"]*/site-packages', r'File \\"site-packages', file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r'"Linux-[^"]*"', '"Linux"', text))


if __name__ == "__main__":
    for make in [tensorboard, mlflow, wandb, sacred]:
        if len(sys.argv) < 2 or make.__name__ in sys.argv[1:]:
            print(make.__name__)
            make()
