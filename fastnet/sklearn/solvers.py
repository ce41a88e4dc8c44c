"""Solvers: the optimizer that the parameters of an estimator describe."""

from __future__ import annotations

from typing import Any

from fastnet import checks, optimizers
from fastnet.optimizers import Optimizer

_WITH_BETAS = ("Adam", "AdamW", "Adamax", "Nadam")  # which take the estimator's beta_1, beta_2 and epsilon


def check_numbers(estimator: Any) -> None:
    """Checks the numbers that belong to some solver, whichever the estimator has. Raises as `make_optimizer` does."""
    optimizers.SGD(momentum=estimator.momentum)
    optimizers.Adam(**{name: getattr(estimator, name) for name in ("beta_1", "beta_2", "epsilon")})
    if not callable(estimator.learning_rate_init):
        checks.number("learning_rate_init", estimator.learning_rate_init, least=0)


def changed(solver: Any, arguments: dict[str, Any]) -> Optimizer:
    """Makes a new optimizer like `solver`, with some other arguments of the constructor.

    Raises:
        TypeError: if `solver` is no optimizer.
        ValueError, TypeError: if an argument is wrong.
    """
    if not isinstance(solver, Optimizer):
        raise TypeError(
            f"solver__{next(iter(arguments))} needs an optimizer object as solver, got {solver!r:.80}; with a name, "
            "use the estimator's own parameters, such as learning_rate_init"
        )
    config = solver.get_config()
    if solver._schedule is not None and "learning_rate" in config:
        config["learning_rate"] = solver._schedule  # the object, which may be of a class of the user
    return type(solver).from_config(config | arguments)


def make_optimizer(estimator: Any) -> Optimizer:
    """Makes a new optimizer from an estimator's `solver` and the parameters that belong to it.

    Raises:
        ValueError: if there is no optimizer of that name, or a number is out of its range.
        TypeError: if a parameter is of another type.
    """
    solver = estimator.solver
    if isinstance(solver, Optimizer):
        return changed(solver, {})  # so that `fit` does not change the given one
    names = {name.lower(): name for name in optimizers.CLASSES}
    if isinstance(solver, str) and solver.lower() == "lbfgs":
        raise ValueError(
            "solver='lbfgs' is not available in fastnet, which trains in mini-batches; use 'adam', which is the "
            f"default. There are: {', '.join(sorted(names))}"
        )
    if not isinstance(solver, str):
        raise TypeError(f"solver must be a name such as 'adam' or an optimizer of fastnet, got {solver!r:.80}")
    kind = checks.choose("solver", solver, names, any_case=True)
    rate = estimator.learning_rate_init
    if callable(rate) and kind == "SGD" and estimator.learning_rate != "constant":
        raise ValueError(f"learning_rate={estimator.learning_rate!r} needs a number as learning_rate_init, no schedule")
    arguments: dict[str, Any] = {
        "learning_rate": rate if callable(rate) else checks.number("learning_rate_init", rate, least=0),
        "name": kind.lower(),
    }
    if kind == "SGD":
        arguments |= {"momentum": estimator.momentum, "nesterov": estimator.nesterovs_momentum}
    if kind in _WITH_BETAS:
        arguments |= {name: getattr(estimator, name) for name in ("beta_1", "beta_2", "epsilon")}
    return optimizers.CLASSES[kind](**arguments)
