"""What the two LeNet scripts share: their flags, the digits, and the checkpoint file."""

import argparse
import math
import os
import sys

import numpy as np


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--lr", type=float, default=0.05, help="learning rate of SGD (momentum 0.9, mean loss)")
    parser.add_argument("--activation", choices=["none", "relu"], default="relu", help="after each convolution and hidden layer")
    parser.add_argument("--epochs", type=int, default=10, help="train until this epoch")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", default="data/mnist.npz", help="made by fetch_mnist.py")
    parser.add_argument("--resume", metavar="FILE", help="go on from this checkpoint")
    parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto")
    return parser.parse_args()


def digits(path):
    """-> training images and labels, held-out images and labels; images [n, 28, 28] float32 in 0..1."""
    if not os.path.exists(path):
        sys.exit(f"{path} is missing: python fetch_mnist.py makes it")
    with np.load(path) as stored:
        images, labels = stored["x"].astype(np.float32) / 255, stored["y"].astype(np.int32)
    held_out = np.arange(len(labels)) % 10 == 0
    return images[~held_out], labels[~held_out], images[held_out], labels[held_out]


def learning_rate(args, epoch):
    """From `--lr` in the first epoch down towards zero along half a cosine."""
    return args.lr * (1 + math.cos(math.pi * (epoch - 1) / args.epochs)) / 2


def save(path, **arrays):
    """All of it or none: a reader never sees half a checkpoint."""
    part = path.replace(".npz", ".tmp.npz")
    with open(part, "wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def load(path):
    with np.load(path) as stored:
        return dict(stored)


def report(args, epoch, loss, accuracy, test_loss, test_accuracy, seconds):
    print(
        f"[{epoch}/{args.epochs}] loss {loss:.5f} acc {100 * accuracy:.2f} "
        f"test_loss {test_loss:.5f} test_acc {100 * test_accuracy:.2f} ({seconds:.2f} s)",
        flush=True,
    )
