#!/usr/bin/env python3
"""LeNet on MNIST digits with PyTorch, on the GPU where there is one; lenet_jax.py is the same network with JAX."""

import time

import torch
from torch import nn

import common

MOMENTUM = 0.9


class LeNet(nn.Module):
    def __init__(self, activation):
        super().__init__()
        act = nn.ReLU if activation == "relu" else nn.Identity
        self.conv = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), act(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), act(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.fc = nn.Sequential(
            nn.Linear(400, 120), act(),
            nn.Linear(120, 84), act(),
            nn.Linear(84, 10),
        )  # fmt: skip

    def forward(self, images):
        return self.fc(self.conv(images[:, None]).flatten(1))


def loss_and_right(net, images, labels):
    """-> mean cross-entropy, number of right answers."""
    out = net(images)
    return nn.functional.cross_entropy(out, labels), (out.argmax(1) == labels).sum()


def save(path, epoch, net, optimizer):
    weights = net.state_dict()
    velocity = {name: optimizer.state[parameter]["momentum_buffer"] for name, parameter in net.named_parameters()}
    common.save(
        path,
        epoch=epoch,
        rng=torch.get_rng_state().numpy(),
        **{f"weights/{name}": array.cpu().numpy() for name, array in weights.items()},
        **{f"velocity/{name}": array.cpu().numpy() for name, array in velocity.items()},
    )


def load(path, net, optimizer, device):
    """-> the last epoch that the checkpoint has behind it."""
    stored = common.load(path)
    net.load_state_dict({name: torch.from_numpy(stored[f"weights/{name}"]) for name in net.state_dict()})
    for name, parameter in net.named_parameters():
        optimizer.state[parameter]["momentum_buffer"] = torch.from_numpy(stored[f"velocity/{name}"]).to(device)
    torch.set_rng_state(torch.from_numpy(stored["rng"]))
    return int(stored["epoch"])


def main():
    args = common.arguments(__doc__)
    gpu = torch.cuda.is_available() if args.device == "auto" else args.device == "gpu"
    device = torch.device("cuda" if gpu else "cpu")
    print(f"torch {torch.__version__}, device: {torch.cuda.get_device_name() if gpu else 'cpu'}", flush=True)
    arrays = common.digits(args.data)
    train_images, train_labels, test_images, test_labels = (torch.from_numpy(array).to(device) for array in arrays)
    train_labels, test_labels = train_labels.long(), test_labels.long()
    print(f"{len(train_labels)} digits to train on, {len(test_labels)} held out", flush=True)

    torch.manual_seed(args.seed)
    net = LeNet(args.activation).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=args.lr, momentum=MOMENTUM)
    epochs_done = 0
    if args.resume:
        epochs_done = load(args.resume, net, optimizer, device)
        print(f"going on from {args.resume} after epoch {epochs_done}", flush=True)

    with torch.no_grad():
        _, right = loss_and_right(net, test_images, test_labels)
    for epoch in range(epochs_done + 1, args.epochs + 1):
        started = time.monotonic()
        optimizer.param_groups[0]["lr"] = common.learning_rate(args, epoch)
        batches = torch.randperm(len(train_labels)).split(args.batch)
        losses, rights = [], []
        for batch in batches:
            batch = batch.to(device)
            optimizer.zero_grad()
            loss, right = loss_and_right(net, train_images[batch], train_labels[batch])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach() * len(batch))
            rights.append(right)
        with torch.no_grad():
            test_loss, right = loss_and_right(net, test_images, test_labels)
        save("model.npz", epoch, net, optimizer)
        common.report(
            args, epoch, float(sum(losses)) / len(train_labels), int(sum(rights)) / len(train_labels),
            float(test_loss), int(right) / len(test_labels), time.monotonic() - started,
        )
    print(f"test accuracy {100 * int(right) / len(test_labels):.2f}", flush=True)


if __name__ == "__main__":
    main()
