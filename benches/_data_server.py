"""TensorBoard's data server on the event files below a folder: `_data_server.py FOLDER SAMPLES ANSWER`, run by benches/trackers.py in
the environment of TensorBoard. SAMPLES is how many points of a metric it keeps: `all`, or `default`. Writes as JSON into the file
ANSWER the seconds from its start until it has loaded everything, the most memory that it had until then, in bytes, the steps that it
knows as the last ones and the points that it hands out.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import grpc
import tensorboard_data_server
from tensorboard.data.proto import data_provider_pb2 as messages
from tensorboard.data.proto import data_provider_pb2_grpc as provider

MANY = 1 << 30
LARGE = [("grpc.max_receive_message_length", -1)]


def memory(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def asked(port):
    """What it knows of scalars."""
    with grpc.insecure_channel(f"localhost:{port}", options=LARGE) as channel:
        stub = provider.TensorBoardDataProviderStub(channel)
        plugin = messages.PluginFilter(plugin_name="scalars")
        listed = stub.ListScalars(messages.ListScalarsRequest(plugin_filter=plugin))
        read = stub.ReadScalars(messages.ReadScalarsRequest(plugin_filter=plugin, downsample=messages.Downsample(num_points=MANY)))
    last = [tag.metadata.max_step for run in listed.runs for tag in run.tags]
    return last, sum(len(tag.data.step) for run in read.runs for tag in run.tags)


def main():
    folder, samples, answer = sys.argv[1:]
    words = [tensorboard_data_server.server_binary(), "--logdir", folder, "--port", "0", "--reload", "once", "--verbose", "--die-after-stdin"]
    if samples != "default":
        words += ["--samples-per-plugin", f"scalars={samples}"]
    began = time.perf_counter()
    server = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        port = None
        for line in server.stderr:
            if line.startswith("listening on"):
                port = line.rpartition(":")[2].strip()
            if "Finished load cycle" in line:
                took = time.perf_counter() - began
                break
        else:
            sys.exit("the data server ended before it had loaded anything")
        held = memory(server.pid)
        last, points = asked(port)
    finally:
        server.terminate()
        server.wait()
    Path(answer).write_text(json.dumps({"seconds": took, "memory": held, "last": last, "points": points}))


main()
