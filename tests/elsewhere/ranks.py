"""Trainings for test_distributed.py. Each gives the same result in one process and on several ranks, up to rounding.

    mpirun -n 2 python tests/elsewhere/ranks.py FOLDER [NAME ...]

Each rank writes what it got to FOLDER/RANK.npz.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse

import fastnet as keras
from fastnet import layers
from fastnet.layers import Dense

Results = dict[str, Any]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((100, 12), dtype=np.float32)
LABELS = RNG.integers(0, 3, 100)
Y = keras.utils.to_categorical(LABELS, 3)
REAL = X[:, :2] * 2 - X[:, 2:4]


def network(*inner: Any, last: str | None = "softmax", units: int = 3, shape: Any = (12,), **kwargs: Any) -> Any:
    first = Dense(16, "relu", **kwargs)
    return keras.Sequential([keras.Input(shape), first, *inner, Dense(units, last)])


def trained(
    distribution: Any,
    model: Any,
    x: Any = X,
    y: Any = LABELS,
    optimizer: Any = "sgd",
    loss: Any = "sparse_categorical_crossentropy",
    metrics: Any = ("accuracy",),
    weighted: Any = (),
    steps_per_execution: int = 1,
    **arguments: Any,
) -> Results:
    """Trains a model; returns its history and its weights."""
    model.compile(
        optimizer,
        loss,
        list(metrics),
        list(weighted),
        steps_per_execution=steps_per_execution,
        distribution=distribution,
    )
    # 100 rows make three batches of 32 and one of 4, whose parts are not equal on 3 ranks
    history = model.fit(x, y, **{"batch_size": 32, "epochs": 2, "verbose": 0} | arguments).history
    found = {f"history {name}": np.array(values) for name, values in history.items()}
    return found | {f"weights {i}": w for i, w in enumerate(model.get_weights())}


class Squares(layers.Layer):
    """A user's own layer, with a weight."""

    def build(self, input_shape: Any) -> None:
        self.factor = self.add_weight(input_shape, "ones", name="factor")

    def call(self, x: Any) -> Any:
        return x * x * self.factor.numpy()

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        return 2 * dy * x * self.factor.numpy(), [(dy * x * x).sum(axis=0)]


class Quartic(keras.losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ((y_pred - y_true) ** 4).mean(axis=1)

    def derivative(self, y_true: Any, y_pred: Any) -> Any:
        return 4 * (y_pred - y_true) ** 3 / y_true.shape[1]


class Slow(keras.optimizers.Optimizer):
    """A user's own optimizer, which keeps the gradients."""

    def __init__(self) -> None:
        super().__init__(0.001)
        self.kept: list[Any] = []

    def update_step(self, gradient: Any, variable: Any, learning_rate: float) -> None:
        self.kept.append(gradient)
        variable.packed -= np.float32(learning_rate) * sum(self.kept[-1:])


class Longest(keras.metrics.Metric):
    """A metric that is no sum, and keeps its state in a plain attribute."""

    name = "longest"

    def reset_state(self) -> None:
        self.longest = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.longest = max(self.longest, float(np.abs(y_pred).max()))

    def result(self) -> float:
        return self.longest


class Batches(keras.utils.PyDataset):
    def __init__(self) -> None:
        super().__init__()

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> Any:
        return X[i * 25 : i * 25 + 25], LABELS[i * 25 : i * 25 + 25]


class Seen(keras.callbacks.Callback):
    """Keeps the logs of the batches."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(logs["loss"])


class StopsAt(keras.callbacks.Callback):
    """Ends the training in the middle of an epoch, on the last rank only."""

    def __init__(self, distribution: Any) -> None:
        self._acts = distribution is None or distribution.rank == distribution.size - 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 1 and self._acts:
            self.model.stop_training = True


def batches() -> Iterator[Any]:
    for start in range(0, 90, 30):
        yield X[start : start + 30], LABELS[start : start + 30]


class Anew:
    """Begins anew in each epoch."""

    def __iter__(self) -> Iterator[Any]:
        return batches()


CASES: dict[str, Callable[[Any], Results]] = {}


def case(function: Callable[[Any], Results]) -> Callable[[Any], Results]:
    CASES[function.__name__] = function
    return function


@case
def plain(d: Any) -> Results:
    return trained(d, network(), validation_split=0.2)


@case
def no_metrics(d: Any) -> Results:
    return trained(d, network(), metrics=())


@case
def one_hot(d: Any) -> Results:
    return trained(d, network(Dense(8, "tanh")), y=Y, loss="categorical_crossentropy", optimizer="adam")


@case
def random_layers(d: Any) -> Results:
    inner = layers.Dropout(0.3), layers.GaussianNoise(0.1), layers.GaussianDropout(0.2), layers.AlphaDropout(0.2)
    return trained(d, network(*inner, layers.Dropout(0.3, seed=3), layers.Dropout(0.2, noise_shape=(None, 1))))


@case
def noise_shapes(d: Any) -> Results:
    inner = layers.Dropout(0.5, noise_shape=(1, 16)), layers.AlphaDropout(0.2, noise_shape=(25, 1))
    return trained(d, network(*inner), batch_size=25)


@case
def batch_normalization(d: Any) -> Results:
    return trained(d, network(layers.BatchNormalization(), layers.BatchNormalization(renorm=True, momentum=0.5)))


@case
def image_normalization(d: Any) -> Results:
    inner = layers.Reshape((4, 4)), layers.BatchNormalization(axis=1), layers.LayerNormalization(), layers.Flatten()
    return trained(d, network(*inner))


@case
def penalties(d: Any) -> Results:
    model = network(
        Dense(8, "tanh", activity_regularizer="l1", kernel_constraint="unit_norm"),
        layers.ActivityRegularization(l2=0.01),
        kernel_regularizer="l1_l2",
        bias_regularizer="l2",
    )
    return trained(d, model)


@case
def weights(d: Any) -> Results:
    return trained(
        d,
        network(),
        sample_weight=np.linspace(0, 2, 100),
        class_weight={0: 1, 1: 2, 2: 0.5},
        weighted=["accuracy"],
        optimizer="rmsprop",
    )


@case
def clipped(d: Any) -> Results:
    optimizers = (keras.optimizers.SGD(0.1, **{name: 0.05}) for name in ("clipnorm", "clipvalue", "global_clipnorm"))
    found = (trained(d, network(), optimizer=optimizer) for optimizer in optimizers)
    return {f"{i} {name}": value for i, each in enumerate(found) for name, value in each.items()}


@case
def averaged(d: Any) -> Results:
    optimizer = keras.optimizers.SGD(
        0.1, momentum=0.9, weight_decay=0.01, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=2
    )
    return trained(d, network(), optimizer=optimizer)


@case
def all_optimizers(d: Any) -> Results:
    found = {}
    for kind in keras.optimizers.CLASSES.values():
        each = trained(d, network(Dense(8, "tanh")), optimizer=kind(), epochs=1)
        found |= {f"{kind.__name__} {name}": value for name, value in each.items() if name.startswith("history")}
    return found


@case
def frozen(d: Any) -> Results:
    model = network(Dense(8, "relu", use_bias=False), Dense(8, "relu", trainable=False))
    model.layers[0].trainable = False
    found = trained(d, model)
    model.layers[0].trainable = True
    return found | {f"thawed {name}": value for name, value in trained(d, model).items()}


@case
def sparse_rows(d: Any) -> Results:
    return trained(d, network(), x=sparse.csr_matrix(np.where(X > 0.5, X, 0)))


@case
def images(d: Any) -> Results:
    x = (np.abs(X) * 60).astype(np.uint8).reshape(100, 3, 4)
    inner = layers.Rescaling(1 / 255), layers.Flatten()
    return trained(d, keras.Sequential([keras.Input((3, 4)), *inner, Dense(16, "relu"), Dense(3, "softmax")]), x=x)


@case
def embedding(d: Any) -> Results:
    x = (np.abs(X[:, :4]) * 3).astype(np.int32)
    model = keras.Sequential([keras.Input((4,)), layers.Embedding(20, 5), layers.Flatten(), Dense(3, "softmax")])
    return trained(d, model, x=x)


@case
def coupled_losses(d: Any) -> Results:
    found = trained(d, network(), y=Y, loss=keras.losses.Dice(), sample_weight=np.linspace(0, 2, 100))
    labels = np.where(LABELS == 2, -1, LABELS)
    ignoring = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    found |= {f"ignore {name}": v for name, v in trained(d, network(), y=labels, loss=ignoring).items()}
    circle = trained(d, network(last=None), loss=keras.losses.Circle(), metrics=())
    return found | {f"circle {name}": v for name, v in circle.items()}


@case
def own_parts(d: Any) -> Results:
    model = network(Squares(), last=None, units=2)
    return trained(d, model, y=REAL, loss=Quartic(), metrics=["mae", Longest()], optimizer=Slow(), epochs=1)


@case
def many_metrics(d: Any) -> Results:
    m = keras.metrics
    found = trained(
        d,
        network(),
        y=Y,
        loss="categorical_crossentropy",
        metrics=[m.AUC(), m.F1Score(), m.Precision(), m.TopKCategoricalAccuracy(2), m.OneHotMeanIoU(3)],
    )
    real = trained(d, network(last=None, units=2), y=REAL, loss="mse", metrics=[m.R2Score(), m.CosineSimilarity()])
    return found | {f"real {name}": value for name, value in real.items()}


@case
def few_rows(d: Any) -> Results:
    found = trained(d, network(layers.BatchNormalization(), layers.Dropout(0.2)), x=X[:3], y=LABELS[:3])
    one = trained(d, network(layers.Dropout(0.2), activity_regularizer="l2"), x=X[:7], y=LABELS[:7], batch_size=1)
    coupled = trained(d, network(), x=X[:3], y=Y[:3], loss=keras.losses.Dice())
    return (
        found
        | {f"one {name}": value for name, value in one.items()}
        | {f"coupled {name}": value for name, value in coupled.items()}
    )


@case
def streams(d: Any) -> Results:
    found = trained(d, network(), x=batches(), y=None, epochs=1, validation_data=(X, LABELS))
    lists = trained(d, network(), x=Anew(), y=None, steps_per_epoch=2, class_weight={0: 2, 1: 1, 2: 1})
    indexed = trained(d, network(layers.Dropout(0.2)), x=Batches(), y=None)
    return (
        found
        | {f"lists {name}": value for name, value in lists.items()}
        | {f"indexed {name}": value for name, value in indexed.items()}
    )


@case
def watched(d: Any) -> Results:
    seen, several = Seen(), Seen()
    found = trained(d, network(), callbacks=seen)
    trained(d, network(), callbacks=several, steps_per_execution=3, shuffle=False, steps_per_epoch=4)
    stopped = trained(d, network(), callbacks=StopsAt(d), epochs=3)
    return found | {
        "history seen": np.array(seen.losses),
        "history several": np.array(several.losses),
        "history stopped": stopped["history loss"],
    }


@case
def callbacks(d: Any) -> Results:
    entries = [
        keras.callbacks.EarlyStopping("loss", min_delta=0.01, patience=1, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=0, min_delta=0.2),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
    ]
    return trained(d, network(), callbacks=entries, epochs=6)


@case
def a_rank_alone(d: Any) -> Results:
    """A rank evaluates and predicts while the others do something else."""
    model = network()
    found = trained(d, model)
    if d is None or d.rank == 0:
        model.evaluate(X, LABELS, verbose=0)
        model.predict(X, verbose=0)
    assert model(X).shape == (100, 3)
    return found | {"history evaluated": np.array(model.evaluate(X, LABELS, verbose=0))}


def main(folder: str, *names: str) -> None:
    """Runs the cases of these names, or all, and writes what this rank got."""
    from fastnet.distributed import DataParallel

    distribution = DataParallel()
    found: Results = {}
    for name in names or CASES:
        keras.utils.set_random_seed(1)
        found |= {f"{name}: {key}": value for key, value in CASES[name](distribution).items()}
    np.savez(f"{folder}/{distribution.rank}.npz", **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
