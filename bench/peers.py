"""The tutorial's training epoch, ours and its peers', interleaved in one process on the same threads: ratios.

    python bench/peers.py [--rounds 5] [--threads 2] [--data auto]

Every peer trains the same network (784 pixels, dense 512 relu, dense 10 softmax, RMSprop, batches of 128, shuffled)
in float32 on the same digits. An epoch of each in turn, and again, so that a machine whose speed drifts drifts for all;
the first round warms up and does not count. Printed: the median seconds, and the median ratio to ours, round by round.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

Epoch = Callable[[], Any]


def ours(x: Any, y: Any) -> Epoch:
    """fastnet as a user runs it, metrics on."""
    from fastnet import Input, Sequential
    from fastnet.layers import Dense

    model = Sequential([Input((784,)), Dense(512, activation="relu"), Dense(10, activation="softmax")])
    model.compile("rmsprop", "categorical_crossentropy", ["accuracy"])
    return lambda: model.fit(x, y, batch_size=128, verbose=0)


def numpy_by_hand(x: Any, y: Any) -> Epoch:
    """The same loop as a NumPy programmer writes it: matrix products by its BLAS, in-place updates."""
    import numpy as np

    rng = np.random.default_rng(0)
    shapes = ((784, 512), (512,), (512, 10), (10,))
    limits = [np.sqrt(6 / sum(shape)) if len(shape) == 2 else 0 for shape in shapes]
    weights = [rng.uniform(-a, a, s).astype(np.float32) for a, s in zip(limits, shapes, strict=True)]
    squares = [np.zeros_like(w) for w in weights]

    def epoch() -> float:
        w1, b1, w2, b2 = weights
        order = rng.permutation(len(x))
        loss, correct = 0.0, 0
        for start in range(0, len(x), 128):
            rows = order[start : start + 128]
            a, t = x[rows], y[rows]
            h = np.maximum(a @ w1 + b1, 0)
            z = h @ w2 + b2
            e = np.exp(z - z.max(axis=1, keepdims=True))
            p = e / e.sum(axis=1, keepdims=True)
            loss -= float((t * np.log(p + 1e-7)).sum())
            correct += int((p.argmax(axis=1) == t.argmax(axis=1)).sum())
            dz = (p - t) / np.float32(len(rows))
            dh = dz @ w2.T
            dh[h <= 0] = 0
            for w, v, g in zip(weights, squares, (a.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)), strict=True):
                v *= np.float32(0.9)
                v += np.float32(0.1) * g * g
                w -= np.float32(1e-3) * g / np.sqrt(v + np.float32(1e-7))
        return loss / len(x)

    return epoch


PEERS: dict[str, Callable[[Any, Any], Epoch]] = {"fastnet": ours, "NumPy by hand": numpy_by_hand}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=5, help="counted epochs of each")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--data", default="auto", help="as for python -m fastnet.mnist")
    options = p.parse_args()
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "FASTNET_NUM_THREADS"):
        os.environ[variable] = str(options.threads)  # read by each library when it is first imported, below

    from fastnet.mnist import load
    from fastnet.utils import to_categorical

    (images, labels), _, source = load(options.data)
    x, y = images.reshape(len(images), 784).astype("float32") / 255, to_categorical(labels, 10)
    epochs = {name: make(x, y) for name, make in PEERS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for turn in range(options.rounds + 1):
        for name, epoch in epochs.items():
            start = time.perf_counter()
            epoch()
            if turn:
                seconds[name].append(time.perf_counter() - start)

    print(f"{source}, {options.threads} threads, {options.rounds} rounds")
    for name, own in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(own, seconds["fastnet"], strict=True))
        print(f"{name:16} {statistics.median(own):7.3f} s an epoch  {ratio:6.2f} x fastnet")


if __name__ == "__main__":
    main()
