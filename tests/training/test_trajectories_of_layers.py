"""Whole trainings with each loss and each layer: the losses that Keras 3.15.1 (on JAX, float32) has printed.

`train` is the script that has made the numbers in `IN_KERAS`, with `keras` imported instead of `fastnet`. Only Lambda
got no `gradient` in Keras. There are 40 examples in batches of 16, 16 and 8, not shuffled, 4 epochs of SGD, 10 examples
for validation, and the same initial weights. The greatest relative difference was 7e-7: float32 rounds at other places.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastnet as keras
from fastnet import layers, losses

X = 1.5 * np.sin(1.7 * np.arange(300)).reshape(50, 6)
LABELS = X[:, :4].argmax(axis=1)
ONE_HOT = np.eye(4)[LABELS]
YES = (X[:, :2] > 0) * 1.0
SIGNS = 2 * YES - 1
SHARES = np.exp(X[:, :4]) / np.exp(X[:, :4]).sum(axis=1, keepdims=True)
POSITIVE = 2 + X[:, :2]
CODES = (np.arange(150).reshape(50, 3) ** 2 % 11 % 5).astype(np.int32)  # whole numbers 0..4


def numbered(like: np.ndarray) -> np.ndarray:
    """Returns the initial value of a weight. Vectors are positive, because some are variances."""
    cosines = np.cos(np.arange(like.size) + 1).reshape(like.shape)
    return 0.6 * cosines if like.ndim > 1 else 0.6 + 0.4 * cosines


def train(
    body: list[Any],
    loss: Any = "categorical_crossentropy",
    y: np.ndarray = ONE_HOT,
    x: np.ndarray = X,
    rate: float = 0.1,
) -> dict[str, list[float]]:
    """Trains the layers of `body`, and returns the losses. What a layer has learned in `adapt` stays."""
    first = [] if isinstance(body[0], layers.InputLayer) else [keras.Input(x.shape[1:], dtype=x.dtype.name)]
    model = keras.Sequential([*first, *body])
    for layer in model.layers:
        if layer.trainable_weights:
            layer.set_weights([numbered(weight) for weight in layer.get_weights()])
    model.compile(keras.optimizers.SGD(rate), loss)
    validation = x[40:], y[40:]
    fit = model.fit(x[:40], y[:40], batch_size=16, epochs=4, shuffle=False, verbose=0, validation_data=validation)
    return fit.history


# For each loss: targets, activation of the last layer (or "unit": a UnitNormalization after it), learning rate.
LOSSES: dict[str, tuple[Any, np.ndarray, str | None, float]] = {
    "BinaryCrossentropy": (losses.BinaryCrossentropy(), YES, "sigmoid", 0.1),
    "BinaryCrossentropy, logits, smoothed": (
        losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
        YES,
        None,
        0.1,
    ),
    "BinaryFocalCrossentropy": (losses.BinaryFocalCrossentropy(apply_class_balancing=True), YES, "sigmoid", 0.5),
    "CategoricalCrossentropy": (losses.CategoricalCrossentropy(), ONE_HOT, "softmax", 0.1),
    "CategoricalCrossentropy, logits, smoothed": (
        losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        ONE_HOT,
        None,
        0.1,
    ),
    "CategoricalFocalCrossentropy": (losses.CategoricalFocalCrossentropy(), ONE_HOT, "softmax", 0.5),
    "CategoricalGeneralizedCrossEntropy": (losses.CategoricalGeneralizedCrossEntropy(), LABELS, "softmax", 0.1),
    "CategoricalHinge": (losses.CategoricalHinge(), ONE_HOT, None, 0.05),
    "Circle": (losses.Circle(gamma=4.0, margin=0.3), LABELS, "unit", 0.05),
    "Circle, defaults": (losses.Circle(), LABELS, "unit", 0.001),
    "CosineSimilarity": (losses.CosineSimilarity(), X[:, :3], None, 0.1),
    "Dice": (losses.Dice(), YES, "sigmoid", 0.5),
    "Dice, axis": (losses.Dice(axis=-1), YES, "sigmoid", 0.1),
    "Hinge": (losses.Hinge(), SIGNS, "tanh", 0.1),
    "Huber": (losses.Huber(0.7), 2 * X[:, :2], None, 0.1),
    "KLDivergence": (losses.KLDivergence(), SHARES, "softmax", 0.1),
    "LogCosh": (losses.LogCosh(), 2 * X[:, :2], None, 0.1),
    "MeanAbsoluteError": (losses.MeanAbsoluteError(), X[:, :2], None, 0.05),
    "MeanAbsolutePercentageError": (losses.MeanAbsolutePercentageError(), POSITIVE, None, 0.0005),
    "MeanSquaredError": (losses.MeanSquaredError(), X[:, :2], None, 0.05),
    "MeanSquaredLogarithmicError": (losses.MeanSquaredLogarithmicError(), POSITIVE, "softplus", 0.2),
    "Poisson": (losses.Poisson(), POSITIVE, "softplus", 0.05),
    "SparseCategoricalCrossentropy": (losses.SparseCategoricalCrossentropy(), LABELS, "softmax", 0.1),
    "SparseCategoricalCrossentropy, logits, ignored": (
        losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2),
        LABELS,
        None,
        0.1,
    ),
    "SquaredHinge": (losses.SquaredHinge(), SIGNS, None, 0.05),
    "Tversky": (losses.Tversky(0.3, 0.7), YES, "sigmoid", 0.5),
    "Tversky, axis": (losses.Tversky(0.3, 0.7, axis=-1), YES, "sigmoid", 0.1),
}


def dense(units: int = 8, activation: Any = None) -> Any:
    return layers.Dense(units, activation)


def between(*middle: Any) -> list[Any]:
    """Returns the layers of a network with these in the middle."""
    return [dense(), *middle, dense(4, "softmax")]


def rows(*middle: Any) -> list[Any]:
    """Returns the same for layers that take examples of the shape (4, 3)."""
    return [dense(12), layers.Reshape((4, 3)), *middle, layers.Flatten(), dense(4, "softmax")]


def at_first(*layer: Any) -> list[Any]:
    return [*layer, dense(8, "tanh"), dense(4, "softmax")]


def adapted(layer: Any) -> Any:
    layer.adapt(X[:40])
    return layer


# For each layer: the network, made anew each time, and its input.
LAYERS: dict[str, tuple[Callable[[], list[Any]], np.ndarray]] = {
    "Activation": (lambda: between(layers.Activation("silu")), X),
    "ActivityRegularization": (lambda: between(layers.ActivityRegularization(0.01, 0.02), layers.ReLU()), X),
    "BatchNormalization": (lambda: between(layers.BatchNormalization(momentum=0.8)), X),
    "BatchNormalization, axis": (lambda: rows(layers.BatchNormalization(axis=1, momentum=0.8)), X),
    "BatchNormalization, renorm": (
        lambda: between(
            layers.BatchNormalization(
                momentum=0.8, renorm=True, renorm_clipping={"rmin": 0.5, "rmax": 2.0, "dmax": 1.0}, renorm_momentum=0.7
            )
        ),
        X,
    ),
    "CategoryEncoding": (lambda: at_first(layers.CategoryEncoding(5)), CODES),
    "CategoryEncoding, count": (lambda: at_first(layers.CategoryEncoding(5, "count")), CODES),
    "Dense": (lambda: between(dense(7, "sigmoid")), X),
    "Dense, rows": (lambda: rows(dense(5, "tanh")), X),
    "Discretization": (lambda: at_first(layers.Discretization([-1.0, 0.0, 0.5]), layers.Rescaling(0.5, -0.5)), X),
    "Discretization, counts": (lambda: at_first(layers.Discretization([-1.0, 0.0, 0.5], output_mode="count")), X),
    "ELU": (lambda: between(layers.ELU(0.7)), X),
    "Embedding": (lambda: at_first(layers.Embedding(5, 4), layers.Flatten()), CODES),
    "Flatten": (lambda: between(layers.Reshape((2, 2, 2)), layers.Flatten()), X),
    "GlobalAveragePooling1D": (
        lambda: [dense(12), layers.Reshape((4, 3)), layers.GlobalAveragePooling1D(), dense(4, "softmax")],
        X,
    ),
    "GlobalAveragePooling1D, channels first": (
        lambda: rows(layers.GlobalAveragePooling1D("channels_first", keepdims=True)),
        X,
    ),
    "GroupNormalization": (lambda: between(layers.GroupNormalization(2)), X),
    "GroupNormalization, axis": (lambda: rows(layers.GroupNormalization(2, axis=1)), X),
    "Identity": (lambda: between(layers.Identity()), X),
    "InputLayer": (lambda: [layers.InputLayer((6,)), *between(layers.ReLU())], X),
    "Lambda": (lambda: between(layers.Lambda(lambda x: x * x / 4, gradient=lambda x, y, dy: dy * x / 2)), X),
    "LayerNormalization": (lambda: between(layers.LayerNormalization()), X),
    "LayerNormalization, axes": (lambda: rows(layers.LayerNormalization([1, 2])), X),
    "LeakyReLU": (lambda: between(layers.LeakyReLU(0.2)), X),
    "Normalization": (lambda: at_first(adapted(layers.Normalization())), X),
    "Normalization, given": (lambda: at_first(layers.Normalization(mean=0.5, variance=2.0)), X),
    "PReLU": (lambda: between(layers.PReLU()), X),
    "PReLU, shared": (lambda: rows(layers.PReLU(shared_axes=[1])), X),
    "Permute": (lambda: rows(layers.Permute((2, 1))), X),
    "RMSNormalization": (lambda: between(layers.RMSNormalization()), X),
    "ReLU": (lambda: between(layers.ReLU(2.0, negative_slope=0.1, threshold=0.3)), X),
    "RepeatVector": (lambda: between(layers.RepeatVector(3), layers.Flatten()), X),
    "Rescaling": (lambda: at_first(layers.Rescaling(0.5, 0.2)), X),
    "Rescaling, between": (lambda: between(layers.Rescaling(0.5, 0.2), layers.ReLU()), X),
    "Reshape": (lambda: between(layers.Reshape((2, -1)), dense(3, "tanh"), layers.Reshape((6,))), X),
    "Softmax": (lambda: between(layers.Softmax()), X),
    "Softmax, axis": (lambda: rows(layers.Softmax(axis=1)), X),
    "UnitNormalization": (lambda: between(layers.UnitNormalization()), X),
    "UnitNormalization, axes": (lambda: rows(layers.UnitNormalization([1, 2])), X),
}
# What Keras has printed: the loss of each epoch, and the last validation loss.
IN_KERAS = {
    "BinaryCrossentropy": [0.6047578, 0.5471268, 0.4995135, 0.4597977, 0.4780464],
    "BinaryCrossentropy, logits, smoothed": [0.6232786, 0.577943, 0.5404846, 0.5092858, 0.5284725],
    "BinaryFocalCrossentropy": [0.1120017, 0.07296282, 0.05424039, 0.04328216, 0.04689578],
    "CategoricalCrossentropy": [1.342695, 1.044281, 0.8536547, 0.7288216, 0.5910624],
    "CategoricalCrossentropy, logits, smoothed": [1.369206, 1.124516, 0.9682997, 0.8668503, 0.7552236],
    "CategoricalFocalCrossentropy": [0.1874855, 0.09858359, 0.06580421, 0.05077239, 0.03291541],
    "CategoricalGeneralizedCrossEntropy": [0.9717245, 0.8926317, 0.8176101, 0.748117, 0.680761],
    "CategoricalHinge": [1.311045, 0.9990892, 0.8139739, 0.6747116, 0.502878],
    "Circle": [5.977217, 5.14668, 4.711749, 4.127333, 2.598145],
    "Circle, defaults": [72.54698, 57.07706, 52.25006, 48.61683, 39.72609],
    "CosineSimilarity": [-0.3999596, -0.6877888, -0.7956163, -0.8700773, -0.8436081],
    "Dice": [0.3741323, 0.3160167, 0.2732788, 0.2410398, 0.2555487],
    "Dice, axis": [0.4842587, 0.4734797, 0.4633639, 0.4538783, 0.4961586],
    "Hinge": [0.7476349, 0.5950374, 0.4908352, 0.4226381, 0.4583519],
    "Huber": [0.8854392, 0.7401365, 0.6009224, 0.4794447, 0.4462488],
    "KLDivergence": [0.4159383, 0.2750597, 0.1873437, 0.1323547, 0.1080969],
    "LogCosh": [1.011368, 0.7666145, 0.5639505, 0.4082122, 0.3653195],
    "MeanAbsoluteError": [0.7879418, 0.705786, 0.6356387, 0.5725555, 0.5991013],
    "MeanAbsolutePercentageError": [73.24252, 64.28941, 59.61607, 57.00288, 51.63788],
    "MeanSquaredError": [0.8989881, 0.5472906, 0.3748477, 0.281563, 0.2739665],
    "MeanSquaredLogarithmicError": [0.2003197, 0.1608111, 0.131373, 0.1091375, 0.08307867],
    "Poisson": [0.8453605, 0.7626447, 0.6976908, 0.6457798, 0.6140944],
    "SparseCategoricalCrossentropy": [1.342695, 1.044281, 0.8536547, 0.7288216, 0.5910624],
    "SparseCategoricalCrossentropy, logits, ignored": [1.333008, 0.926784, 0.6950027, 0.5586944, 0.4214517],
    "SquaredHinge": [0.9090751, 0.6091228, 0.4554494, 0.3694558, 0.4189505],
    "Tversky": [0.4037593, 0.3480075, 0.3025265, 0.2660207, 0.2861495],
    "Tversky, axis": [0.4848777, 0.4753765, 0.4662707, 0.4575484, 0.4989011],
    "Activation": [1.423404, 0.7890875, 0.5647748, 0.4627327, 0.3557197],
    "ActivityRegularization": [2.187183, 1.527075, 1.281801, 1.14974, 1.038753],
    "BatchNormalization": [1.428319, 1.146958, 0.9669148, 0.8365009, 0.6969966],
    "BatchNormalization, axis": [1.251587, 0.7727812, 0.6367754, 0.5505945, 0.3517729],
    "BatchNormalization, renorm": [1.409294, 0.9603003, 0.8480151, 0.7545553, 0.618323],
    "CategoryEncoding": [1.606745, 1.454433, 1.403055, 1.382192, 1.417603],
    "CategoryEncoding, count": [1.644141, 1.449237, 1.391669, 1.370722, 1.409031],
    "Dense": [1.563252, 1.426526, 1.319843, 1.233416, 1.186489],
    "Dense, rows": [1.442958, 1.278232, 1.148497, 1.018016, 0.8731582],
    "Discretization": [1.351346, 1.155053, 1.007931, 0.8963626, 0.7950222],
    "Discretization, counts": [1.481262, 1.363839, 1.316343, 1.280078, 1.331259],
    "ELU": [1.315279, 0.6812182, 0.5037493, 0.4248262, 0.3092604],
    "Embedding": [1.459845, 1.407245, 1.378855, 1.361141, 1.421319],
    "Flatten": [1.148088, 0.5240316, 0.4170243, 0.3675179, 0.2078963],
    "GlobalAveragePooling1D": [1.416165, 1.345796, 1.282212, 1.221361, 1.150456],
    "GlobalAveragePooling1D, channels first": [1.498656, 1.355595, 1.24701, 1.155996, 1.056537],
    "GroupNormalization": [1.329628, 1.000854, 0.8163517, 0.6976513, 0.5640565],
    "GroupNormalization, axis": [1.145342, 0.6922241, 0.587357, 0.5105661, 0.320035],
    "Identity": [1.148088, 0.5240316, 0.4170243, 0.3675179, 0.2078963],
    "InputLayer": [1.411822, 0.7955164, 0.5775402, 0.4743373, 0.3808011],
    "Lambda": [1.847332, 1.226261, 0.9541181, 0.7851229, 0.6290762],
    "LayerNormalization": [1.434113, 1.144487, 0.961973, 0.8306977, 0.7030101],
    "LayerNormalization, axes": [1.323465, 0.8244071, 0.7075259, 0.6202624, 0.422156],
    "LeakyReLU": [1.334781, 0.7140375, 0.5239534, 0.4385201, 0.3375017],
    "Normalization": [1.344759, 1.053457, 0.8654855, 0.7409571, 0.6013594],
    "Normalization, given": [1.353078, 1.113584, 0.9482502, 0.8302442, 0.6947823],
    "PReLU": [1.250445, 0.6056967, 0.464524, 0.3998469, 0.2553879],
    "PReLU, shared": [1.305283, 0.8847138, 0.7193191, 0.620805, 0.4452948],
    "Permute": [1.304841, 0.8426606, 0.6706558, 0.5675898, 0.3674695],
    "RMSNormalization": [1.413676, 1.168652, 0.9926767, 0.8584813, 0.7269476],
    "ReLU": [1.275036, 0.9211615, 0.7271903, 0.6101844, 0.5386387],
    "RepeatVector": [1.937072, 0.4505892, 0.4371771, 0.4565297, 0.04408032],
    "Rescaling": [1.360511, 1.175739, 1.032583, 0.9206401, 0.8047262],
    "Rescaling, between": [1.370275, 1.10343, 0.9215543, 0.7933152, 0.7089728],
    "Reshape": [1.208021, 0.9365288, 0.8156902, 0.7286741, 0.5497397],
    "Softmax": [1.41138, 1.385679, 1.362115, 1.340292, 1.332737],
    "Softmax, axis": [1.441242, 1.397926, 1.361294, 1.32932, 1.297662],
    "UnitNormalization": [1.362704, 1.291575, 1.227294, 1.169184, 1.129859],
    "UnitNormalization, axes": [1.406636, 1.233159, 1.120117, 1.041256, 0.9327389],
}
WITHOUT = {  # the layers that are not compared, and why
    "AlphaDropout": "draws other random numbers than Keras",
    "Dropout": "draws other random numbers than Keras",
    "GaussianDropout": "draws other random numbers than Keras",
    "GaussianNoise": "draws other random numbers than Keras",
    "Input": "is a function; each network here begins with it",
    "IntegerLookup": "needs TensorFlow in Keras",
    "Layer": "is the base class of a user's own layers",
    "StringLookup": "needs TensorFlow in Keras",
}


def compare(history: dict[str, list[float]], name: str) -> None:
    np.testing.assert_allclose([*history["loss"], history["val_loss"][-1]], IN_KERAS[name], rtol=1e-5)


def train_loss(name: str) -> dict[str, list[float]]:
    loss, y, last, rate = LOSSES[name]
    units = y.shape[1] if y.ndim > 1 else 4
    end = [dense(units), layers.UnitNormalization()] if last == "unit" else [dense(units, last)]
    return train([dense(8, "tanh"), *end], loss, y, rate=rate)


def train_layer(name: str) -> dict[str, list[float]]:
    body, x = LAYERS[name]
    return train(body(), x=x)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_falls_as_in_keras(name: str) -> None:
    compare(train_loss(name), name)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_trained_as_in_keras(name: str) -> None:
    compare(train_layer(name), name)


def test_each_loss_and_each_layer_is_here() -> None:
    assert {name.split(",")[0] for name in LOSSES} == set(losses.NAMES)
    assert {name.split(",")[0] for name in LAYERS} | set(WITHOUT) == set(layers.__all__)
    assert not set(LAYERS) & set(WITHOUT)
    assert list(IN_KERAS) == [*LOSSES, *LAYERS]
