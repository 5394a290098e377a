"""The LeNet of the demo, killed in the middle and resumed by neronet, ends where an uninterrupted one does."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
NERONET = HERE.parents[1] / "target" / "debug" / "neronet"
FRAMEWORK = (HERE.parents[1] / ".cache" / "venv" / "framework").read_text().strip()


class Resume(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.TemporaryDirectory(prefix="neronet-lenet-")
        self.addCleanup(self.home.cleanup)
        self.env = {**os.environ, "NERONET_HOME": self.home.name}

    def neronet(self, *words):
        return subprocess.Popen([NERONET, *words], cwd=HERE, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def train(self):
        values = ["lr=0.01", "activation=relu", "epochs=6", f"framework={FRAMEWORK}"]
        return self.neronet("run", "neronet.toml", *[word for value in values for word in ("--set", value)])

    def end(self, process, code):
        said = process.communicate()[1].decode()
        self.assertEqual(process.returncode, code, said)
        return said

    def kill_after(self, epochs, process, attempt):
        """KILL to the training once it has printed so many epochs."""
        printed = attempt / "raw.stdout"
        deadline = time.monotonic() + 120
        while not printed.exists() or printed.read_text().count("\n[") < epochs:
            self.assertLess(time.monotonic(), deadline, "the training never came so far")
            self.assertIsNone(process.poll(), "it ended before it could be killed")
            time.sleep(0.05)
        events = [json.loads(line)["event"] for line in (attempt / "keeper.jsonl").read_text().splitlines()]
        started = next(event["started"] for event in events if "started" in event)
        os.kill(started["command"]["pid"], signal.SIGKILL)

    def curve(self, run):
        out = subprocess.run([NERONET, "metrics", run, "test_acc", "--json"], env=self.env, check=True, capture_output=True)
        return [(step, value) for step, _, value in json.loads(out.stdout)]

    def test_a_killed_training_ends_as_an_uninterrupted_one(self):
        process = self.train()
        self.kill_after(3, process, pathlib.Path(self.home.name) / "runs" / "1" / "attempts" / "1")
        self.assertIn("signal 9", self.end(process, 1))
        self.end(self.neronet("resume", "1"), 0)
        self.end(self.train(), 0)
        resumed, whole = self.curve("1"), self.curve("2")
        self.assertEqual([step for step, _ in resumed], [1, 2, 3, 4, 5, 6])
        self.assertEqual([step for step, _ in whole], [1, 2, 3, 4, 5, 6])
        # The noise between seeds is about half a percent.
        self.assertAlmostEqual(resumed[-1][1], whole[-1][1], delta=1.0)


if __name__ == "__main__":
    unittest.main()
