"""Arrays in column-major order, as those of R and Fortran: every function reads them as what they are.

R's arrays are also read-only here. Each call is made with arrays in row-major order, in column-major order, and with
every second number of a larger array. The results must have the same bits.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import metric_of

from fastnet import Sequential, activations, constraints, initializers, layers, losses, metrics, regularizers, utils

RNG = np.random.default_rng(0)
N = 300
X, IMAGES = RNG.random((N, 6)), RNG.integers(0, 256, (N, 4, 6), np.uint8)
LABELS = (np.arange(N) % 3).reshape(N, 1)
ONE_HOT, WEIGHTS = np.eye(3)[LABELS[:, 0]], RNG.random((N, 1))
Order = Callable[[Any], Any]


def column_major(array: Any) -> Any:
    array = np.array(array, order="F")
    array.flags.writeable = False
    return array


def strided(array: Any) -> Any:
    room = np.zeros([2 * n for n in array.shape], array.dtype)
    view = room[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def unaligned(array: Any) -> Any:
    room = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    room[...] = array
    return room


ORDERS = {"column-major": column_major, "strided": strided, "unaligned": unaligned}


def model(loss: str = "categorical_crossentropy", images: bool = False) -> Sequential:
    utils.set_random_seed(3)
    made = Sequential([layers.Flatten(), layers.Rescaling(1 / 255)] if images else [layers.Dense(5, activation="relu")])
    made.add(layers.Dense(3, activation="softmax"))
    made.compile("rmsprop", loss, ["accuracy"])
    return made


def trained(o: Order, **arguments: Any) -> Any:
    made = model()
    history = made.fit(o(X), o(ONE_HOT), batch_size=50, epochs=3, verbose=0, **arguments).history
    return history, made.get_weights()


def of_images(o: Order, x: Any) -> Any:
    made = model(images=True)
    return made.fit(o(x), o(ONE_HOT), epochs=2, verbose=0).history, made.predict(o(x), verbose=0), made.get_weights()


def labelled(o: Order, labels: Any) -> Any:
    made = model("sparse_categorical_crossentropy")
    return made.fit(o(X), o(labels), batch_size=50, verbose=0).history, made.evaluate(o(X), o(labels), verbose=0)


def set_weights(o: Order) -> Any:
    made = Sequential([layers.Input((6,)), layers.Dense(20), layers.Dense(3)])
    made.set_weights([o(RNG_WEIGHTS[0]), np.zeros(20), o(RNG_WEIGHTS[1]), np.zeros(3)])
    return made.get_weights(), made.predict(X, verbose=0)


RNG_WEIGHTS = RNG.random((6, 20)), RNG.random((20, 3))


def adapted(layer: Any, o: Order, data: Any) -> Any:
    layer.adapt(o(data))
    return layer(o(data))


CALLS: dict[str, Callable[[Order], Any]] = {
    "fit": trained,
    "fit with weights": lambda o: trained(o, sample_weight=o(WEIGHTS)),
    "fit with classes": lambda o: trained(o, class_weight={0: 2.0}),
    "validation": lambda o: trained(o, validation_data=[o(X), o(ONE_HOT), o(WEIGHTS)]),
    "fit images": lambda o: of_images(o, IMAGES),
    "fit images of integers": lambda o: of_images(o, IMAGES.astype(np.int32)),
    "fit images of doubles": lambda o: of_images(o, IMAGES / 7),
    "fit images of two values": lambda o: of_images(o, IMAGES > 99),
    "fit labels": lambda o: labelled(o, LABELS.astype(np.int32)),
    "fit labels of doubles": lambda o: labelled(o, LABELS.astype(float)),
    "fit, dense": lambda o: trained(o, sparse=False),
    "fit, sparse": lambda o: trained(o, sparse=True),
    "train_on_batch": lambda o: model().train_on_batch(o(X), o(ONE_HOT), o(WEIGHTS)),
    "test_on_batch": lambda o: model().test_on_batch(o(X), o(ONE_HOT), o(WEIGHTS)),
    "evaluate": lambda o: model().evaluate(o(X), o(ONE_HOT), verbose=0, sample_weight=o(WEIGHTS)),
    "predict": lambda o: model().predict(o(X), verbose=0),
    "predict one": lambda o: (made := model(), made.predict(X, verbose=0), made.predict(o(X[:1]), verbose=0))[2],
    "predict_on_batch": lambda o: model().predict_on_batch(o(X)),
    "predict_classes": lambda o: model().predict_classes(o(X)),
    "call": lambda o: model()(o(X)),
    "call to train": lambda o: model()(o(X), training=True),
    "a stream": lambda o: model().fit(iter([(o(X), o(ONE_HOT))] * 3), steps_per_epoch=3, verbose=0).history,
    "set_weights": set_weights,
    "a layer's set_weights": lambda o: Sequential([layers.Input((6,)), made := layers.Dense(20)]) and (
        made.set_weights([o(RNG_WEIGHTS[0]), np.zeros(20)]), made.get_weights())[1],
    "check_gradients": lambda o: list(model().check_gradients(o(X), o(ONE_HOT))),
    "Embedding": lambda o: layers.Embedding(9, 4, embeddings_initializer=initializers.Constant(o(X[:9, :4])))(
        o(LABELS.repeat(4, 1))),
    "Normalization": lambda o: adapted(layers.Normalization(), o, X),
    "Normalization along two axes": lambda o: adapted(layers.Normalization(axis=[1, 2]), o, IMAGES),
    "Normalization given": lambda o: layers.Normalization([1, 2], o(IMAGES[0]), o(IMAGES[1]))(o(IMAGES)),
    "Discretization": lambda o: adapted(layers.Discretization(num_bins=4), o, X),
    "IntegerLookup": lambda o: adapted(layers.IntegerLookup(), o, IMAGES[:, 0].astype(np.int64)),
    "StringLookup": lambda o: adapted(layers.StringLookup(), o, LABELS.repeat(2, 1).astype(str)),
    "CategoryEncoding": lambda o: layers.CategoryEncoding(3, "count")(
        o(LABELS.repeat(4, 1)), count_weights=o(X[:, :4])),
    "Rescaling": lambda o: layers.Rescaling(o(X[0]), o(X[1]))(o(X)),
    "Flatten": lambda o: layers.Flatten()(o(IMAGES)),
    "Reshape": lambda o: layers.Reshape((3, 8))(o(IMAGES)),
    "Permute": lambda o: layers.Permute((2, 1))(o(IMAGES)),
    "Constant": lambda o: initializers.Constant(o(X))((N, 6)),
    "a variable": lambda o: (made := layers.Layer().add_weight((N, 6)), made.assign(o(X)), made.numpy())[2],
    "to_categorical": lambda o: utils.to_categorical(o(LABELS.repeat(2, 1))),
    "normalize": lambda o: utils.normalize(o(X), axis=0),
    "split_dataset": lambda o: utils.split_dataset((o(X), o(LABELS)), 0.5),
    "pad_sequences": lambda o: utils.pad_sequences(o(IMAGES), maxlen=3),
}  # fmt: skip


def same(a: Any, b: Any) -> None:
    """Asserts that two results have the same bits."""
    if isinstance(a, dict):
        a, b = list(a.items()), list(b.items())
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            same(left, right)
    elif isinstance(a, np.ndarray) or hasattr(a, "dtype"):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    else:
        assert a == b


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", CALLS)
def test_the_order_in_memory_does_not_count(name: str, order: str) -> None:
    same(CALLS[name](ORDERS[order]), CALLS[name](np.ascontiguousarray))


@pytest.mark.parametrize("order", ORDERS)
def test_losses_metrics_and_functions(order: str) -> None:
    o, n = ORDERS[order], 5000  # long sums, which show the order of their terms
    y, p, x = RNG.random((n, 3)), RNG.random((n, 3)), RNG.random((n, 6)).astype(np.float32)
    y, p = y / y.sum(axis=1, keepdims=True), p / p.sum(axis=1, keepdims=True)
    labels, weights = np.arange(n).reshape(n, 1) % 3, RNG.random(n)
    for name, loss in losses.classes().items():
        if name == "Circle":  # which takes all pairs of rows
            same(loss()(o(labels[:99]), o(p[:99])), loss()(labels[:99], p[:99]))
            continue
        of = labels if "Sparse" in name or "Generalized" in name else np.round(y) if "Binary" in name else y
        for given in ({}, {"sample_weight": weights}):
            same((name, loss()(o(of), o(p), **given)), (name, loss()(of, p, **given)))
    for name in metrics.CLASSES:
        if name in ("Mean", "Sum", "MeanTensor"):
            same((name, metric_of(name)(o(p), o(y))), (name, metric_of(name)(p, y)))
            continue
        of = np.eye(3)[labels[:, 0]]
        if "Sparse" in name or name in ("IoU", "MeanIoU"):
            of = labels
        q = labels[::-1] if name in ("IoU", "MeanIoU") else p
        same((name, metric_of(name)(o(of), o(q), weights)), (name, metric_of(name)(of, q, weights)))
    for name in activations.NAMES:
        same((name, activations.get(name)(o(x))), (name, activations.get(name)(x)))
    for constraint in (constraints.NonNeg(), constraints.MaxNorm(1), constraints.UnitNorm(), constraints.MinMaxNorm()):
        same((str(constraint), constraint(o(x))), (str(constraint), constraint(x)))
    for regularizer in (regularizers.L1(), regularizers.L2(), regularizers.OrthogonalRegularizer(mode="columns")):
        same((str(regularizer), regularizer(o(x))), (str(regularizer), regularizer(x)))
        same(regularizer.gradient(o(x)), regularizer.gradient(x))


ARGUMENTS = {
    "Dense": (20,), "Activation": ("tanh",), "Dropout": (0.5,), "GaussianNoise": (1,), "GaussianDropout": (0.5,),
    "AlphaDropout": (0.5,), "GroupNormalization": (2,), "RepeatVector": (2,), "Rescaling": (3,),
    "Lambda": (np.negative,), "Reshape": ((2, 3),), "Permute": ((1,),),
}  # fmt: skip
# All layers that take rows of numbers. Those with other inputs are among the calls above.
LAYERS = sorted(
    {*layers.__all__}
    - {"Layer", "Input", "InputLayer", "Embedding", "CategoryEncoding", "IntegerLookup", "StringLookup"}
    - {"Discretization", "GlobalAveragePooling1D", "GlobalMaxPooling1D"}
)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("training", [False, True])
def test_layers_called_directly(name: str, order: str, training: bool) -> None:
    results = []
    for o in (np.ascontiguousarray, ORDERS[order]):
        utils.set_random_seed(4)
        results.append(getattr(layers, name)(*ARGUMENTS.get(name, ()))(o(X), training=training))
    same(*results)
