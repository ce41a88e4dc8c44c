"""Whole trainings against Keras: the losses that Keras 3.15 (on JAX, float32) has printed for the same script.

`train` is that script, with `keras` imported instead of `fastnet` and the arguments as they stand in `CASES`: 40
examples in batches of 16, 16 and 8, not shuffled, 4 epochs, 10 examples for validation, and the same initial weights.
Beside the arguments stand the loss of each epoch and the last validation loss. What is left between the two is
rounding: Keras takes the powers in Adam in float32.
"""

from typing import Any

import numpy as np
import pytest

import fastnet as keras
from fastnet import constraints as C  # noqa: N812
from fastnet import optimizers as O  # noqa: N812
from fastnet import regularizers as R  # noqa: N812

S = O.schedules
X = 1.5 * np.sin(1.7 * np.arange(300)).reshape(50, 6)
LABELS = X[:, :4].argmax(axis=1)
ONE_HOT = np.eye(4)[LABELS]
YES = (X[:, :1] > 0) * 1.0


def train(
    optimizer: Any = None,
    loss: str = "categorical_crossentropy",
    y: np.ndarray = ONE_HOT,
    hidden: str = "tanh",
    last: str | None = "softmax",
    dense: Any = None,
    **fit: Any,
) -> dict[str, list[float]]:
    outputs = y.shape[1] if y.ndim > 1 else 4
    layers = [keras.layers.Dense(8, hidden, **dense or {}), keras.layers.Dense(outputs, last)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.set_weights([0.6 * np.cos(np.arange(w.size) + 1).reshape(w.shape) for w in model.get_weights()])
    model.compile(optimizer or O.Adam(0.01), loss)
    validation = X[40:], y[40:]
    fit |= {"batch_size": 16, "epochs": 4, "shuffle": False, "verbose": 0, "validation_data": validation}
    return model.fit(X[:40], y[:40], **fit).history


CASES: dict[str, tuple[dict[str, Any], list[float], float]] = {
    "SGD": ({"optimizer": O.SGD(0.1)}, [1.341617, 1.05243, 0.8629967, 0.7348087], 0.6154318),
    "momentum": ({"optimizer": O.SGD(0.05, momentum=0.9)}, [1.375123, 1.000673, 0.6187564, 0.4102338], 0.2152941),
    "nesterov": (
        {"optimizer": O.SGD(0.05, momentum=0.9, nesterov=True)},
        [1.336955, 0.9022124, 0.5652927, 0.3931883],
        0.2087962,
    ),
    "RMSprop": ({"optimizer": O.RMSprop(0.01)}, [1.291769, 0.9521208, 0.7874284, 0.6785967], 0.5413615),
    "RMSprop, centered, momentum": (
        {"optimizer": O.RMSprop(0.01, rho=0.8, momentum=0.5, centered=True)},
        [1.302191, 0.8092841, 0.5402197, 0.4066126],
        0.2440346,
    ),
    "Adam": ({"optimizer": O.Adam(0.01)}, [1.380398, 1.174744, 1.0052, 0.865456], 0.7337819),
    "Adam, all arguments": (
        {"optimizer": O.Adam(0.02, beta_1=0.8, beta_2=0.9, epsilon=1e-3)},
        [1.332663, 0.9762791, 0.7326605, 0.5715778],
        0.3918879,
    ),
    "AdamW": ({"optimizer": O.AdamW(0.01, weight_decay=0.5)}, [1.379802, 1.17299, 1.004926, 0.8686603], 0.7401766),
    "Adagrad": ({"optimizer": O.Adagrad(0.1)}, [1.227445, 0.7607092, 0.5832193, 0.4915981], 0.3398181),
    "Nadam": ({"optimizer": O.Nadam(0.01)}, [1.381306, 1.224588, 1.098746, 0.9811881], 0.877422),
    "Adadelta": ({"optimizer": O.Adadelta(1.0, epsilon=1e-3)}, [1.06932, 0.5131149, 0.4150177, 0.3707017], 0.1175692),
    "Adam, amsgrad": (
        {"optimizer": O.Adam(0.02, beta_2=0.7, amsgrad=True)},
        [1.331844, 0.9686958, 0.7263579, 0.5719083],
        0.4004572,
    ),
    "Adamax": ({"optimizer": O.Adamax(0.02)}, [1.335644, 1.015734, 0.8074352, 0.6631707], 0.5122417),
    "Ftrl": (
        {"optimizer": O.Ftrl(0.2, l1_regularization_strength=0.01, l2_regularization_strength=0.02, beta=0.1)},
        [1.407594, 1.17332, 0.8847895, 0.658798],
        0.5031458,
    ),
    "Lion": ({"optimizer": O.Lion(0.01, weight_decay=0.1)}, [1.379328, 1.167505, 0.9911085, 0.8414307], 0.699963),
    "Lamb": ({"optimizer": O.Lamb(0.02)}, [1.386689, 1.190272, 1.018783, 0.8716704], 0.7302413),
    "Adafactor": ({"optimizer": O.Adafactor(0.1)}, [1.219477, 0.6886832, 0.4757133, 0.3795261], 0.1623694),
    "Muon": ({"optimizer": O.Muon(0.02, exclude_layers=["_1"])}, [1.362927, 1.07654, 0.8519574, 0.6822026], 0.5596498),
    "ScheduleFreeAdamW": (
        {"optimizer": O.ScheduleFreeAdamW(0.05, warmup_steps=4)},
        [1.366028, 1.053321, 0.7524901, 0.5645409],
        0.3718162,
    ),
    "averages that overwrite": (
        {"optimizer": O.Adam(0.02, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=4)},
        [1.331928, 1.090153, 0.9171625, 0.8223465],
        0.8049223,
    ),
    "accumulated gradients": (
        {"optimizer": O.Adam(0.02, clipnorm=0.2, gradient_accumulation_steps=2)},
        [1.402537, 1.204324, 1.008555, 0.8713214],
        0.6931351,
    ),
    "inverse time": (
        {"optimizer": O.SGD(S.InverseTimeDecay(0.5, 3, 0.7))},
        [1.10265, 0.5834893, 0.4775442, 0.4282455],
        0.3098986,
    ),
    "cosine, restarts": (
        {"optimizer": O.SGD(S.CosineDecayRestarts(0.5, 3, m_mul=0.7))},
        [1.104844, 0.6284379, 0.4869027, 0.4539101],
        0.3273583,
    ),
    "weight decay": (
        {"optimizer": O.SGD(0.1, momentum=0.5, weight_decay=0.1)},
        [1.329936, 0.9044129, 0.6542009, 0.5355315],
        0.4074582,
    ),
    "clipnorm": ({"optimizer": O.SGD(0.5, clipnorm=0.1)}, [1.371441, 1.143413, 0.9533731, 0.7992206], 0.6642213),
    "clipvalue": ({"optimizer": O.SGD(0.5, clipvalue=0.02)}, [1.378334, 1.174314, 1.005003, 0.8635597], 0.7273425),
    "global_clipnorm": (
        {"optimizer": O.SGD(0.5, global_clipnorm=0.2)},
        [1.355065, 1.075101, 0.8558184, 0.691907],
        0.53536,
    ),
    "exponential": (
        {"optimizer": O.SGD(S.ExponentialDecay(0.5, 3, 0.7))},
        [1.099946, 0.5630928, 0.4539628, 0.4058698],
        0.2873746,
    ),
    "exponential, staircase": (
        {"optimizer": O.SGD(S.ExponentialDecay(0.5, 3, 0.7, staircase=True))},
        [1.096165, 0.537961, 0.4354552, 0.3892269],
        0.2548026,
    ),
    "piecewise": (
        {"optimizer": O.Adam(S.PiecewiseConstantDecay([3, 7], [0.05, 0.01, 0.002]))},
        [1.212855, 0.6076525, 0.5083874, 0.4820045],
        0.3700971,
    ),
    "polynomial": (
        {"optimizer": O.SGD(S.PolynomialDecay(0.5, 5, 0.01, power=2.0))},
        [1.108677, 0.6653975, 0.6410143, 0.6337161],
        0.5923938,
    ),
    "polynomial, cycle": (
        {"optimizer": O.SGD(S.PolynomialDecay(0.5, 5, 0.01, cycle=True))},
        [1.102893, 0.6012459, 0.5395508, 0.4845732],
        0.3904802,
    ),
    "cosine": (
        {"optimizer": O.SGD(S.CosineDecay(0.5, 8, alpha=0.1))},
        [1.097302, 0.5505495, 0.4554861, 0.4347522],
        0.346372,
    ),
    "cosine, warm-up": (
        {"optimizer": O.SGD(S.CosineDecay(0.0, 6, alpha=0.1, warmup_target=0.5, warmup_steps=4))},
        [1.405598, 0.885615, 0.5185343, 0.432705],
        0.3376657,
    ),
    "L1L2": (
        {"dense": {"kernel_regularizer": R.L1L2(0.01, 0.02), "bias_regularizer": R.L1(0.01)}},
        [1.762199, 1.548449, 1.369789, 1.220615],
        1.075787,
    ),
    "L2, clipnorm": (
        {"optimizer": O.SGD(0.5, clipnorm=0.1), "dense": {"kernel_regularizer": "l2"}},
        [1.457194, 1.228536, 1.037893, 0.883309],
        0.7458527,
    ),
    "MaxNorm": (
        {"optimizer": O.SGD(0.5), "dense": {"kernel_constraint": C.MaxNorm(1.0)}},
        [1.098854, 0.5399383, 0.431614, 0.3822554],
        0.1814182,
    ),
    "NonNeg": (
        {"dense": {"kernel_constraint": "non_neg", "bias_constraint": C.NonNeg()}},
        [1.401766, 1.211267, 1.041376, 0.9024626],
        0.7468358,
    ),
    "UnitNorm": ({"dense": {"kernel_constraint": C.UnitNorm()}}, [1.380802, 1.17567, 1.006828, 0.8683581], 0.7319224),
    "sparse labels": (
        {"loss": "sparse_categorical_crossentropy", "y": LABELS},
        [1.380398, 1.174744, 1.0052, 0.865456],
        0.7337819,
    ),
    "binary": (
        {"loss": "binary_crossentropy", "y": YES, "last": "sigmoid"},
        [0.243848, 0.2074128, 0.1744999, 0.1447718],
        0.2435308,
    ),
    "mse": (
        {"loss": "mse", "y": X[:, :2], "last": None, "hidden": "relu"},
        [1.588579, 1.20646, 0.9288239, 0.7099968],
        0.6065195,
    ),
    "mae": (
        {"loss": "mae", "y": X[:, :2], "last": None, "hidden": "selu"},
        [0.648066, 0.5627416, 0.4766862, 0.4000952],
        0.3737238,
    ),
    "huber": (
        {"loss": "huber", "y": 3 * X[:, :1], "last": None, "hidden": "gelu"},
        [0.8203003, 0.5519862, 0.3235608, 0.14395],
        0.06005364,
    ),
    "sample_weight": ({"sample_weight": np.arange(40) % 3 * 1.0}, [1.243937, 1.053756, 0.9012467, 0.7771776], 0.773936),
    "class_weight": ({"class_weight": {0: 2.0, 2: 0.0}}, [1.104388, 0.9399396, 0.8051837, 0.6914617], 0.7763876),
    "steps_per_epoch": ({"steps_per_epoch": 1}, [1.498681, 1.319798, 1.265033, 1.273822], 1.1913),
}


@pytest.mark.parametrize("name", CASES)
def test_a_training_goes_the_way_it_goes_in_keras(name: str) -> None:
    arguments, losses, validation_loss = CASES[name]
    history = train(**arguments)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-4)
    assert history["val_loss"][-1] == pytest.approx(validation_loss, rel=1e-4)


def test_each_optimizer_and_schedule_is_here() -> None:
    used = [arguments["optimizer"] for arguments, _, _ in CASES.values() if "optimizer" in arguments]
    assert {type(optimizer).__name__ for optimizer in used} == set(O.CLASSES)
    rates = [optimizer.get_config()["learning_rate"] for optimizer in used]
    assert {rate["class_name"] for rate in rates if isinstance(rate, dict)} == set(S.CLASSES)
