"""Losses: how wrong the predictions are, as a number to minimize."""

from typing import Any

from fastnet import checks
from fastnet.losses.base import MEAN, Loss, check_trainable
from fastnet.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from fastnet.losses.custom import CustomLoss, custom
from fastnet.losses.hinge import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from fastnet.losses.probabilistic import KLDivergence, Poisson, kl_divergence, poisson
from fastnet.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)

__all__ = [
    "BinaryCrossentropy", "CategoricalCrossentropy", "CategoricalHinge", "CosineSimilarity", "CustomLoss", "Hinge",
    "Huber", "KLDivergence", "LogCosh", "Loss", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Poisson", "SparseCategoricalCrossentropy", "SquaredHinge", "binary_crossentropy",
    "categorical_crossentropy", "categorical_hinge", "cosine_similarity", "custom", "get", "hinge", "huber",
    "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "poisson", "serialize", "sparse_categorical_crossentropy", "squared_hinge",
]  # fmt: skip

CLASSES: dict[str, type[Loss]] = {
    name: kind for name, kind in globals().items() if isinstance(kind, type) and issubclass(kind, Loss)
}
del CLASSES["Loss"], CLASSES["CustomLoss"]
FUNCTIONS: dict[Any, type[Loss]] = {globals()[kind.name]: kind for kind in CLASSES.values()}
_SHORT: dict[str, type[Loss]] = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_BY_NAME: dict[str, type[Loss]] = {
    **CLASSES,
    **{function.__name__: kind for function, kind in FUNCTIONS.items()},
    **_SHORT,
    **{name.upper(): kind for name, kind in _SHORT.items()},
}


def get(identifier: Any) -> Loss:
    """Returns the loss that the argument of `compile` stands for.

    Args:
        identifier: a name; a class or function of this module; a description as `serialize` returns it; a `Loss`; or a
            callable object with a method ``gradient(y_true, y_pred)``, both as for `custom`.

    Raises:
        ValueError: if there is no loss of that name, or its reduction is not the mean, which a model trains on.
        TypeError: if `identifier` is of another type, or a function or class without a gradient.
    """
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        identifier = identifier()
    if isinstance(identifier, Loss):
        if identifier.reduction not in (MEAN, "mean"):
            raise ValueError(f"a model trains on the mean loss, but {identifier!r} has another reduction; leave it out")
        check_trainable(identifier)
        return identifier
    if not callable(identifier):
        return checks.build("loss", identifier, _BY_NAME)
    for function, kind in FUNCTIONS.items():
        if identifier is function:
            return kind()
    gradient = getattr(identifier, "gradient", None)
    if callable(gradient) and not isinstance(identifier, type):
        return custom(identifier, gradient)
    name = getattr(identifier, "__name__", type(identifier).__name__)
    raise TypeError(
        f"the loss {name!r} comes without its gradient, which fastnet does not derive from Python code: use "
        f"fastnet.losses.custom({name}, gradient), where gradient(y_true, y_pred) returns the gradient of each row's "
        "loss with respect to its predictions, (n, C)"
    )


def serialize(loss: Loss) -> dict[str, Any]:
    """Returns class and arguments, as `get` takes them.

    Raises:
        TypeError: if it is a user's own loss, whose code a description cannot contain.
    """
    if type(loss) is not CLASSES.get(type(loss).__name__):
        raise TypeError(f"{loss!r} is a loss of your own, which has no description; give it again when it is needed")
    return checks.describe(loss)
