"""The scripts keep what their users rely on: killed at any moment they go on exactly, and they know no tool that runs them.

Runs with the framework of the interpreter: python -m unittest discover -s examples/lenet
"""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import unittest

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
FRAMEWORK = "torch" if importlib.util.find_spec("torch") else "jax"
EPOCHS = 3


def start(folder, *more):
    script = os.path.join(FOLDER, f"lenet_{FRAMEWORK}.py")
    data = os.path.join(FOLDER, "data", "mnist.npz")
    command = [sys.executable, script, "--data", data, "--epochs", str(EPOCHS), "--device", "cpu", *more]
    # One thread: sums in one order.
    one_thread = {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
    return subprocess.Popen(command, cwd=folder, env={**os.environ, **one_thread}, stdout=subprocess.PIPE, text=True)


def wait(process):
    """-> what it printed."""
    with process:
        printed = process.stdout.read()
    assert process.returncode == 0, f"exit code {process.returncode} after:\n{printed}"
    return printed.splitlines()


class LeNet(unittest.TestCase):
    def test_a_killed_training_goes_on_exactly(self):
        with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as broken:
            uninterrupted = start(whole)
            victim = start(broken)
            for line in victim.stdout:
                # Early in the second epoch: the first one's checkpoint is the latest.
                if line.startswith("[1/"):
                    break
            victim.send_signal(signal.SIGKILL)
            victim.stdout.close()
            self.assertEqual(victim.wait(), -signal.SIGKILL)
            printed, resumed = wait(uninterrupted), wait(start(broken, "--resume", "model.npz"))
            self.assertEqual(resumed[-1], printed[-1])
            with np.load(os.path.join(whole, "model.npz")) as a, np.load(os.path.join(broken, "model.npz")) as b:
                self.assertEqual(sorted(a), sorted(b))
                for name in a:
                    np.testing.assert_array_equal(a[name], b[name], name)

    def test_the_scripts_know_nothing_of_what_runs_them(self):
        for name in ("common.py", "lenet_jax.py", "lenet_torch.py", "fetch_mnist.py"):
            with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
                self.assertNotIn("neronet", file.read().lower(), name)


if __name__ == "__main__":
    unittest.main()
