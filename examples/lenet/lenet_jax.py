#!/usr/bin/env python3
"""LeNet on MNIST digits with JAX, on the GPU where there is one; lenet_torch.py is the same network with PyTorch."""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np

import common

MOMENTUM = 0.9
# Name, shape of the weights, inputs of one output unit.
LAYERS = [
    ("conv1", (3, 3, 1, 6), 9),
    ("conv2", (5, 5, 6, 16), 150),
    ("fc1", (400, 120), 400),
    ("fc2", (120, 84), 120),
    ("fc3", (84, 10), 84),
]


def fresh_weights(key):
    weights = {}
    for (name, shape, inputs), layer_key in zip(LAYERS, jax.random.split(key, len(LAYERS))):
        bound = inputs**-0.5
        weight_key, bias_key = jax.random.split(layer_key)
        weights[f"{name}.weight"] = jax.random.uniform(weight_key, shape, minval=-bound, maxval=bound)
        weights[f"{name}.bias"] = jax.random.uniform(bias_key, shape[-1:], minval=-bound, maxval=bound)
    return weights


def forward(weights, images, activation):
    act = jax.nn.relu if activation == "relu" else lambda x: x

    def conv(x, name, padding):
        x = jax.lax.conv_general_dilated(x, weights[f"{name}.weight"], (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return act(x + weights[f"{name}.bias"])

    def pool(x):
        n, height, width, channels = x.shape
        return x.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))

    x = pool(conv(images[..., None], "conv1", [(1, 1), (1, 1)]))
    x = pool(conv(x, "conv2", "VALID"))
    x = x.reshape(len(x), -1)
    x = act(x @ weights["fc1.weight"] + weights["fc1.bias"])
    x = act(x @ weights["fc2.weight"] + weights["fc2.bias"])
    return x @ weights["fc3.weight"] + weights["fc3.bias"]


def loss_and_right(weights, images, labels, activation):
    """-> mean cross-entropy, number of right answers."""
    out = forward(weights, images, activation)
    log_probability = jnp.take_along_axis(jax.nn.log_softmax(out), labels[:, None], axis=1)
    return -log_probability.mean(), (out.argmax(axis=1) == labels).sum()


@functools.partial(jax.jit, static_argnames="activation", donate_argnums=(0, 1))
def train_step(weights, velocity, images, labels, lr, activation):
    gradient_of = jax.value_and_grad(loss_and_right, has_aux=True)
    (loss, right), gradient = gradient_of(weights, images, labels, activation)
    velocity = jax.tree_util.tree_map(lambda v, g: MOMENTUM * v + g, velocity, gradient)
    weights = jax.tree_util.tree_map(lambda w, v: w - lr * v, weights, velocity)
    return weights, velocity, loss, right


evaluate = jax.jit(loss_and_right, static_argnames="activation")


def main():
    args = common.arguments(__doc__)
    if args.device != "auto":
        jax.config.update("jax_platforms", "cpu" if args.device == "cpu" else "cuda")
    print(f"jax {jax.__version__}, device: {jax.devices()[0].device_kind}", flush=True)
    train_images, train_labels, test_images, test_labels = common.digits(args.data)
    print(f"{len(train_labels)} digits to train on, {len(test_labels)} held out", flush=True)

    order_key, weights_key = jax.random.split(jax.random.PRNGKey(args.seed))
    weights, epochs_done = fresh_weights(weights_key), 0
    velocity = jax.tree_util.tree_map(jnp.zeros_like, weights)
    if args.resume:
        stored = common.load(args.resume)
        epochs_done, order_key = int(stored["epoch"]), jnp.asarray(stored["rng"])
        weights = {name: jnp.asarray(stored[f"weights/{name}"]) for name in weights}
        velocity = {name: jnp.asarray(stored[f"velocity/{name}"]) for name in velocity}
        print(f"going on from {args.resume} after epoch {epochs_done}", flush=True)

    test_images, test_labels = jnp.asarray(test_images), jnp.asarray(test_labels)
    _, right = evaluate(weights, test_images, test_labels, args.activation)
    for epoch in range(epochs_done + 1, args.epochs + 1):
        started = time.monotonic()
        order_key, shuffle_key = jax.random.split(order_key)
        order = np.asarray(jax.random.permutation(shuffle_key, len(train_labels)))
        batches = np.array_split(order, range(args.batch, len(order), args.batch))
        losses, rights, lr = [], [], common.learning_rate(args, epoch)
        for batch in batches:
            weights, velocity, loss, right = train_step(
                weights, velocity, train_images[batch], train_labels[batch], lr, args.activation
            )
            losses.append(loss * len(batch))
            rights.append(right)
        test_loss, right = evaluate(weights, test_images, test_labels, args.activation)
        common.save(
            "model.npz",
            epoch=epoch,
            rng=np.asarray(order_key),
            **{f"weights/{name}": np.asarray(array) for name, array in weights.items()},
            **{f"velocity/{name}": np.asarray(array) for name, array in velocity.items()},
        )
        common.report(
            args, epoch, float(sum(losses)) / len(order), int(sum(rights)) / len(order),
            float(test_loss), int(right) / len(test_labels), time.monotonic() - started,
        )
    print(f"test accuracy {100 * int(right) / len(test_labels):.2f}", flush=True)


if __name__ == "__main__":
    main()
