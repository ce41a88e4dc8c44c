"""`Optimizer`, the base of all: a learning rate, state for each variable, and the steps of an update."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, kernels, recorded
from fastnet.arrays.panels import own
from fastnet.arrays.sparse import CscBatch
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers import schedules
from fastnet.optimizers.schedules import LearningRateSchedule
from fastnet.recorded import Recorded, is_ours
from fastnet.terminal import interrupts


class Sink(Protocol):
    """What a layer's `backward` hands its gradients to: an optimizer, or a check of the gradients."""

    def begin_step(self) -> None:
        """Prepares for the gradients of a batch."""

    def apply_product(self, x: Floats | CscBatch, dz: Floats, kernel: Variable, bias: Variable) -> None:
        """Takes the gradients of a layer's weights as the two factors of a product, which is not computed yet.

        Args:
            x: the inputs of the layer. They must not change before `end_step`.
            dz: the gradient with respect to the weighted sums. It must not change before `end_step`, either.
            kernel: the variable whose gradient is x^T . dz.
            bias: the variable whose gradient is the column sums of dz.
        """

    def apply(self, variable: Variable, gradient: Floats) -> None:
        """Takes the gradient of a variable as an array, packed like `variable.packed`."""

    def end_step(self) -> None:
        """Is called when all gradients of the batch have been handed over."""


def multiply(
    x: Floats | CscBatch, dz: Floats, kernel: Variable, bias: Variable, out: tuple[Floats, Floats] | None = None
) -> tuple[Floats, Floats]:
    """Returns the gradients of kernel and bias as arrays, packed like their variables; written to `out`, if given."""
    dw, db = out or (np.empty_like(kernel.packed), np.empty_like(bias.packed))
    if isinstance(x, CscBatch):
        kernels.csrmm_tn(*x, dz, dw, db)
    else:
        kernels.gemm_tn(x, dz, dw, db)
    return dw, db


class Optimizer(Recorded):
    """Base of all optimizers: a learning rate, and state for each variable.

    Your own subclass overrides `update_step`, which changes one variable. Fastnet's own optimizers name the `rule` of a
    kernel instead. The kernel of a matrix product then applies the rule to the gradient while it computes it, so the
    gradient is never written to memory.

    Args:
        learning_rate: size of a step, at least 0, or a schedule of `fastnet.optimizers.schedules`. The older name
            ``lr`` is accepted, too.
        weight_decay: each step first subtracts learning_rate * weight_decay * w from a weight w.
        clipnorm: limit of the norm of each variable's gradient.
        clipvalue: limit of the absolute value of each number in a gradient.
        global_clipnorm: limit of the norm of all gradients together.
        name: a name, by default the class's in lower case.

    Raises:
        ValueError: if a number is out of its range, or two ways to clip are given.
        TypeError: if an argument is not a number, or unknown.
    """

    _free = frozenset({"iterations", "learning_rate", "lr"})
    rule: int | None = None  # number of the kernel's update rule, if there is one
    slots: tuple[str, ...] = ()  # names of the state arrays of each variable; a rule uses the first two
    _is_custom: ClassVar[bool] = False  # whether a user's class says how to apply a gradient

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_custom = not (is_ours(cls.apply) and is_ours(cls.update_step))

    def __init__(
        self,
        learning_rate: Any,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        learning_rate = kwargs.pop("lr", learning_rate)
        checks.keywords(type(self).__name__, kwargs, ("lr",), _arguments_of(type(self)))
        if isinstance(learning_rate, dict):
            learning_rate = schedules.get(learning_rate)
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError("give only one of clipnorm, clipvalue and global_clipnorm")
        self.learning_rate = learning_rate
        self.weight_decay = None if weight_decay is None else checks.number("weight_decay", weight_decay, least=0)
        self.clipnorm = None if clipnorm is None else checks.number("clipnorm", clipnorm, least=0)
        self.clipvalue = None if clipvalue is None else checks.number("clipvalue", clipvalue, least=0)
        self.global_clipnorm = (
            None if global_clipnorm is None else checks.number("global_clipnorm", global_clipnorm, least=0)
        )
        self.name = name or type(self).__name__.lower()
        self.iterations = 0
        self._slots: dict[tuple[Variable, str], Floats] = {}
        self._arrays_of_layer: dict[Variable, tuple[Floats, ...]] = {}  # by kernel: its arrays and those of its bias
        self._gradients: dict[Variable, tuple[Floats, Floats]] = {}  # by kernel: its gradient and that of its bias
        # What the current step will do once it has all gradients.
        self._products: list[tuple[Any, ...]] = []
        self._updates: list[tuple[Variable, Floats]] = []
        self._step_rate = 0.0
        self._step_rates = np.zeros((1, 6))  # the numbers in the rule's formula, for the kernels: see update.pxi
        self._in_product = False

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step.

        Raises:
            ValueError: if a schedule returns a number that is not finite or below 0.
            TypeError: if a schedule does not return a number.
        """
        return self._learning_rate_at(self.iterations)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if getattr(self, "_schedule", None) is not None and not isinstance(value, LearningRateSchedule):
            raise TypeError(
                "learning_rate follows a schedule, so it cannot be set to a number; make the optimizer with a number "
                "if a callback is to change it"
            )
        self._schedule = value if isinstance(value, LearningRateSchedule) else None
        self._fixed_rate = 0.0 if self._schedule else checks.number("learning_rate", value, least=0)

    lr = learning_rate

    def _learning_rate_at(self, step: int) -> float:
        if self._schedule is None:
            return self._fixed_rate
        name = f"the schedule {type(self._schedule).__name__}'s learning rate at step {step}"
        return checks.number(name, self._schedule(step), least=0)

    def slot(self, variable: Variable, name: str) -> Floats:
        """Returns the state called `name` of a variable, packed like the variable; it starts as zeros."""
        key = (variable, name)
        if key not in self._slots:
            self._slots[key] = variable.pack(np.zeros(variable.shape, np.float32))
        return self._slots[key]

    def replace_slots(self, slots: dict[tuple[Variable, str], Floats]) -> None:
        """Takes over the state of all variables, by variable and name, as a file has it."""
        self._slots = slots
        self._arrays_of_layer.clear()
        recorded.touch()

    # A step: begin_step, then apply or apply_product for each variable, then end_step. Nothing changes before end_step,
    # so a step that fails earlier, in a user's layer or because there is no memory, leaves everything as it was.

    def begin_step(self) -> None:
        """Prepares for the gradients of a batch."""
        self._products.clear()
        self._updates.clear()
        self.set_step_rates()
        self._in_product = (
            self.rule is not None
            and not self._is_custom
            and (self.clipnorm, self.clipvalue, self.global_clipnorm, self.weight_decay) == (None,) * 4
        )

    def apply_product(self, x: Floats | CscBatch, dz: Floats, kernel: Variable, bias: Variable) -> None:
        """Takes the gradients x^T . dz of `kernel` and the column sums of dz of `bias`, as two factors.

        If possible, `end_step` computes the product and the update in one kernel, and the gradient is never written.
        """
        if self._in_product and kernel.is_plain and bias.is_plain:
            arrays = self._arrays_of_layer.get(kernel)
            if arrays is None:
                of_bias = [array[:0] if bias.frozen_at_zero else array for array in self._arrays(bias)]
                arrays = self._arrays_of_layer[kernel] = (*self._arrays(kernel), *of_bias)
            rule = (self.rule, *arrays, self._step_rates[0])
            if isinstance(x, CscBatch):
                self._products.append((kernels.csrmm_tn_update, (*x, dz, *rule), arrays))
            else:
                self._products.append((kernels.gemm_tn_update, (x, dz, *rule), arrays))
            return
        dw, db = multiply(x, dz, kernel, bias, self._gradients.get(kernel))
        if not self._is_custom:  # a user's code may keep the arrays
            self._gradients[kernel] = dw, db
        self.apply(kernel, dw)
        if not bias.frozen_at_zero:
            self.apply(bias, db)

    def apply(self, variable: Variable, gradient: Floats) -> None:
        """Takes the gradient of a variable, packed like it, and may write into the array."""
        if not variable.trainable:
            return
        if variable.regularizer is not None:
            variable.regularizer.add_gradient(variable, gradient)
        if self.clipvalue is not None:
            kernels.clip(gradient.reshape(-1), self.clipvalue)
        elif self.clipnorm is not None:
            _shorten(gradient, _length(gradient), self.clipnorm)
        for name in self.slots:
            self.slot(variable, name)
        self._updates.append((variable, gradient))

    def end_step(self) -> None:
        """Updates all variables whose gradients were handed over.

        If an update raises an exception, which only Python code can do, not a kernel, all variables are restored.
        """
        if self.global_clipnorm is not None:
            length = math.sqrt(math.fsum(_length(gradient) ** 2 for _, gradient in self._updates))
            for _, gradient in self._updates:
                _shorten(gradient, length, self.global_clipnorm)
        before = [(array, array.copy()) for array in self._at_risk()] if self._updates else []
        interrupts.updating = not before  # only kernels run, so Ctrl-C can wait until they are done
        self.iterations += 1
        try:
            for multiply_and_update, arguments, _ in self._products:
                multiply_and_update(*arguments)
            for variable, gradient in self._updates:
                self._update(variable, gradient)
        except BaseException:
            self.iterations -= 1
            for array, value in before:
                array[...] = value
            raise
        finally:
            interrupts.updating = False
            self._products.clear()
            self._updates.clear()

    def _at_risk(self) -> list[Floats]:
        """Returns the arrays that this step changes, if Python code takes part in it and may raise an exception."""
        is_safe = self.rule is not None and not self._is_custom
        if is_safe and all(variable.constraint is None for variable, _ in self._updates):
            return []
        variables = {variable for variable, _ in self._updates}
        slots = [state for (variable, _), state in self._slots.items() if variable in variables]
        products = [array for *_, arrays in self._products for array in arrays]
        return [*(variable.packed for variable in variables), *slots, *products]

    def _update(self, variable: Variable, gradient: Floats) -> None:
        if self.weight_decay:
            kernels.decay(variable.packed.reshape(-1), self._step_rates[0])
        self.update_step(gradient, variable, self._step_rate)
        if variable.constraint is not None:
            variable.packed = variable.pack(variable.constraint.projected(variable.numpy(), variable.name))

    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        """Updates one variable: changes `variable.packed` in place.

        Args:
            gradient: packed like the variable.
            variable: the variable.
            learning_rate: that of this step.
        """
        if self.rule is None:
            raise NotImplementedError(f"{type(self).__name__} has no update_step()")
        w, s, t = (array.reshape(-1) for array in self._arrays(variable))
        kernels.update(self.rule, w, gradient.reshape(-1), s, t, self._step_rates[0])

    def _set_rates(self, rates: NDArray[np.float64]) -> None:
        """Sets the numbers in the rule's formula for the next steps.

        Args:
            rates: (steps, 6). Column 0 has the learning rate of each step. The columns after it get m, n, epsilon and k
                of update.pxi, and the share of the weights that the weight decay subtracts.
        """
        rates[:, 5] = rates[:, 0] * (self.weight_decay or 0.0)
        self._set_numbers(rates)

    def _set_numbers(self, rates: NDArray[np.float64]) -> None:
        """Sets columns 1 to 4 of the rates for `_set_rates`, and corrects the learning rate in column 0."""

    def set_step_rates(self) -> None:
        """Sets the rates of the next step, which its kernels read."""
        self._step_rate = self._step_rates[0, 0] = self.learning_rate
        self._set_rates(self._step_rates)

    def rates_ahead(self, steps: int) -> NDArray[np.float64]:
        """Returns the rates of the next steps, as the kernels take them: (steps, 6).

        If the learning rate of a step is wrong, the array ends before this step.
        """
        rates = np.zeros((steps, 6))
        if self._schedule is None:
            rates[:, 0] = self._fixed_rate
        else:
            for i in range(steps):
                try:
                    rates[i, 0] = self._learning_rate_at(self.iterations + i)
                except Exception:  # the step itself raises it again
                    rates = rates[:i]
                    break
        self._set_rates(rates)
        return rates

    @property
    def _is_taped(self) -> bool:
        """Whether its part of a step consists of kernels alone, so that the step can be recorded."""
        return self.rule is not None and is_ours(type(self)) and self.clipnorm is None and self.global_clipnorm is None

    def _arrays(self, variable: Variable) -> tuple[Floats, Floats, Floats]:
        """Returns the array of a variable and two of its state; the rule ignores those that it does not have."""
        names = self.slots
        s = self.slot(variable, names[0]) if names else variable.packed
        t = self.slot(variable, names[1]) if len(names) > 1 else s
        return variable.packed, s, t

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays that joblib maps into memory are read-only, and a copied array may be misaligned.
        slots = {key: own(array) for key, array in state["_slots"].items()}
        self.__dict__.update(
            state,
            _slots=slots,
            _arrays_of_layer={},
            _gradients={},
            _products=[],
            _updates=[],
            _step_rates=np.zeros((1, 6)),
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        rate = checks.describe(self._schedule) if self._schedule else self._fixed_rate
        config: dict[str, Any] = {"learning_rate": rate}
        for name in ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm"):
            if getattr(self, name) is not None:
                config[name] = getattr(self, name)
        return config

    def __repr__(self) -> str:
        defaults: dict[str, Any] = {}
        if is_ours(type(self)):
            import inspect

            defaults = {p.name: p.default for p in inspect.signature(type(self)).parameters.values()}
        config = self._shown()
        if self._schedule and "learning_rate" in config:
            config["learning_rate"] = self._schedule
        parts = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}"
            for name, value in config.items()
            if name == "learning_rate" or defaults.get(name) != value
        ]
        return f"{type(self).__name__}({', '.join(parts)})"


def fraction(argument: str, value: Any) -> float:
    """Returns `value` as a float in [0, 1)."""
    return checks.number(argument, value, least=0, below=1)


def positive_epsilon(value: Any) -> float:
    """Returns `value` as a float above 0, also in float32."""
    return checks.number("epsilon", value, least=float(np.finfo(np.float32).tiny))


def _arguments_of(kind: type[Optimizer]) -> Iterator[str]:
    """Yields the names of all arguments of an optimizer's constructor, for an error about one that is unknown."""
    import inspect

    for owner in kind.__mro__:
        if issubclass(owner, Optimizer):
            yield from (p.name for p in inspect.signature(owner).parameters.values() if p.kind is not p.VAR_KEYWORD)


def _length(gradient: Floats) -> float:
    return math.sqrt(float(np.square(gradient, dtype=np.float64).sum()))


def _shorten(gradient: Floats, length: float, most: float) -> None:
    if length > most:
        gradient *= np.float32(most / length)
