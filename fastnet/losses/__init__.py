"""Losses: how wrong the predictions are, as a number to minimize."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from fastnet import checks
from fastnet.losses.base import Loss, check_axis, check_trainable
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
from fastnet.losses.reduction import MEAN
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
from fastnet.registered import resolve

if TYPE_CHECKING:
    from fastnet.losses.focal import (
        BinaryFocalCrossentropy,
        CategoricalFocalCrossentropy,
        binary_focal_crossentropy,
        categorical_focal_crossentropy,
    )
    from fastnet.losses.generalized import CategoricalGeneralizedCrossEntropy, categorical_generalized_cross_entropy
    from fastnet.losses.overlap import Dice, Tversky, dice, tversky
    from fastnet.losses.similarity import Circle, circle

__all__ = [
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy", "CategoricalHinge", "Circle", "CosineSimilarity", "CustomLoss", "Dice",
    "Hinge", "Huber", "KLDivergence", "LogCosh", "Loss", "MeanAbsoluteError", "MeanAbsolutePercentageError",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson", "SparseCategoricalCrossentropy", "SquaredHinge",
    "Tversky", "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy",
    "categorical_focal_crossentropy", "categorical_generalized_cross_entropy", "categorical_hinge", "circle",
    "cosine_similarity", "custom", "deserialize", "dice", "for_training", "get", "hinge", "huber", "kl_divergence",
    "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "poisson", "serialize", "sparse_categorical_crossentropy", "squared_hinge",
    "tversky",
]  # fmt: skip

# Classes and functions of the files that are imported when first used, so that `import fastnet` stays fast.
_LATE = {
    "Circle": "similarity",
    "BinaryFocalCrossentropy": "focal",
    "CategoricalFocalCrossentropy": "focal",
    "CategoricalGeneralizedCrossEntropy": "generalized",
    "Dice": "overlap",
    "Tversky": "overlap",
    "circle": "similarity",
    "binary_focal_crossentropy": "focal",
    "categorical_focal_crossentropy": "focal",
    "categorical_generalized_cross_entropy": "generalized",
    "dice": "overlap",
    "tversky": "overlap",
}
_SHORT = {
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
}
CLASSES: dict[str, type[Loss]] = {
    name: kind for name, kind in globals().items() if isinstance(kind, type) and issubclass(kind, Loss)
}
del CLASSES["Loss"], CLASSES["CustomLoss"]
NAMES = [*CLASSES, *(name for name in _LATE if name[0].isupper())]  # of all classes
FUNCTIONS: dict[Any, type[Loss]] = {  # of those imported so far
    huber: Huber,
    **{globals()[kind.name]: kind for kind in CLASSES.values() if kind is not Huber},  # which is called huber_loss
}
_BY_NAME: dict[str, Any] = {
    **CLASSES,
    **{function.__name__: function for function in FUNCTIONS},
    **{name: globals()[full] for name, full in _SHORT.items()},
    **{name.upper(): globals()[full] for name, full in _SHORT.items()},
}


def __getattr__(name: str) -> Any:
    """Imports the file of a class or function, and enters both into the tables."""
    if name not in _LATE:
        raise checks.no_such(sys.modules[__name__], "fastnet has no loss", name, sys._getframe(1))
    module = importlib.import_module(f"{__name__}.{_LATE[name]}")
    for other in (other for other, file in _LATE.items() if file == _LATE[name]):
        globals()[other] = _BY_NAME[other] = getattr(module, other)
        if other in NAMES:
            CLASSES[other] = getattr(module, other)
            FUNCTIONS[getattr(module, CLASSES[other].name)] = CLASSES[other]
    return globals()[name]


def __dir__() -> list[str]:
    """Returns all names, also those that were not used yet."""
    return sorted({*globals(), *__all__})


def classes(name: Any = None) -> dict[str, type[Loss]]:
    """Returns the classes by name: those imported so far, if `name` is one of them, or else all."""
    if not isinstance(name, str) or name not in CLASSES:
        for late in _LATE:
            getattr(sys.modules[__name__], late)
    return CLASSES


def get(identifier: Any) -> Any:
    """Returns a loss as Keras does: a function, or an object of a class.

    Args:
        identifier: the name of a function, such as ``"mean_squared_error"`` or ``"mse"``, for the function; the name of
            a class, the class, or a description as `serialize` returns it, for an object; None or anything that can be
            called, which comes back unchanged.

    Raises:
        ValueError: if there is no loss of that name.
        TypeError: if `identifier` is of another type.

    Example:
        >>> get("mse")([[0, 0], [1, 1]], [[0, 2], [1, 1]])
        array([2., 0.], dtype=float32)
    """
    if identifier is None or (callable(identifier) and not isinstance(identifier, type)):
        return identifier
    return identifier() if isinstance(identifier, type) else deserialize(identifier)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns the loss of a description that `serialize` returned, or of a name.

    Args:
        name: the description or the name.
        custom_objects: dict of your own classes and functions by name.

    Raises:
        ValueError: if there is no loss of that name.
        TypeError: if `name` is of another type.
    """
    name = resolve(name)
    if not isinstance(name, str | dict) and callable(name):
        return name
    is_description = isinstance(name, dict) and set(name) == {"class_name", "config"}
    called = name["class_name"] if is_description else name
    table = _BY_NAME | (custom_objects or {})
    if isinstance(called, str) and called not in table:
        classes()
        table = _BY_NAME if called in _BY_NAME else {name: _BY_NAME[name] for name in _BY_NAME if name.islower()}
    found = checks.choose("loss", called, table)
    if is_description:
        return found.from_config(name["config"]) if hasattr(found, "from_config") else found(**name["config"])
    return found() if isinstance(found, type) else found


def for_training(identifier: Any) -> Loss:
    """Returns the loss that the argument of `compile` stands for.

    Args:
        identifier: a name; a class or function of this module; a description as `serialize` returns it; a `Loss`; or a
            callable object with a method ``gradient(y_true, y_pred)``, both as for `custom`.

    Raises:
        ValueError: if there is no loss of that name, or a model cannot train on its reduction or axis.
        TypeError: if `identifier` is of another type, or a function or class without a gradient.
    """
    identifier = resolve(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        identifier = identifier()
    elif isinstance(identifier, str | dict) or not callable(identifier):
        identifier = deserialize(identifier)
    for function, kind in FUNCTIONS.items():
        if identifier is function:
            identifier = kind()
    if isinstance(identifier, Loss):
        if identifier.reduction not in (MEAN, "mean"):
            raise ValueError(f"a model trains on the mean loss, but {identifier!r} has another reduction; leave it out")
        check_axis(identifier)
        check_trainable(identifier)
        return identifier
    gradient = getattr(identifier, "gradient", None)
    if callable(gradient) and not isinstance(identifier, type):
        return custom(identifier, gradient)
    name = getattr(identifier, "__name__", type(identifier).__name__)
    raise TypeError(
        f"the loss {name!r} comes without its gradient, which fastnet does not derive from Python code: use "
        f"fastnet.losses.custom({name}, gradient), where gradient(y_true, y_pred) returns the gradient of each row's "
        "loss with respect to its predictions, (n, C)"
    )


def serialize(loss: Any) -> Any:
    """Returns class and arguments of a loss, or the name of a function of this module, as `get` takes them.

    Raises:
        TypeError: if it is a user's own loss, whose code a description cannot contain.
    """
    if any(loss is function for function in FUNCTIONS):
        return loss.__name__
    if type(loss) is not CLASSES.get(type(loss).__name__):
        raise TypeError(f"{loss!r} is a loss of your own, which has no description; give it again when it is needed")
    return checks.describe(loss)
