"""`Optimizer`, the base of all: a learning rate, state for each variable, and the steps of an update."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
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
from fastnet.optimizers.state import Iterations, LearningRate, States
from fastnet.recorded import Recorded, is_ours, numbered
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


class Optimizer(States, Recorded):
    """Base of all optimizers: a learning rate, and state for each variable.

    Your own subclass overrides `update_step`, which changes one variable. Fastnet's own optimizers name the `rule` of a
    kernel instead. The kernel of a matrix product then applies the rule to the gradient while it computes it, so the
    gradient is never written to memory.

    Args:
        learning_rate: size of a step, at least 0; a schedule of `fastnet.optimizers.schedules`; or a function without
            arguments that returns it. The older name ``lr`` is accepted, too. The older argument ``decay`` is ignored.
        weight_decay: each step first subtracts learning_rate * weight_decay * w from a weight w.
        clipnorm: limit of the norm of each variable's gradient; 0 is none.
        clipvalue: limit of the absolute value of each number in a gradient; 0 is none.
        global_clipnorm: limit of the norm of all gradients together; 0 is none.
        use_ema: whether to keep an average of each variable: see averaging.py. `fit` ends with the averages as weights.
        ema_momentum: share of the average that each step keeps, in [0, 1].
        ema_overwrite_frequency: number of steps after which the averages become the weights, again and again, or None.
        loss_scale_factor: `apply_gradients` divides by it the gradients of a loss that `scale_loss` has multiplied.
            `fit` does without: numbers in float32 are not too small.
        gradient_accumulation_steps: the weights change only after this many batches, at least 2, along the mean of
            their gradients.
        name: a name, by default the class's in snake case, with a number from the second object on: adam, adam_1.

    Raises:
        ValueError: if a number is out of its range, or two ways to clip are given.
        TypeError: if an argument is not a number, or unknown.
    """

    _free = frozenset({"iterations", "learning_rate", "lr"})
    _kept = ("name",)
    rule: int | None = None  # number of the kernel's update rule, if there is one; it uses the first two of the slots
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
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        learning_rate = kwargs.pop("lr", learning_rate)
        if kwargs.pop("decay", None):
            instead = "learning_rate=schedules.InverseTimeDecay(rate, 1, decay)"
            warnings.warn(f"decay is ignored, as in Keras 3; give {instead} instead", stacklevel=3)
        checks.keywords(type(self).__name__, kwargs, ("lr",), _arguments_of(type(self)))
        if isinstance(learning_rate, dict):
            learning_rate = schedules.get(learning_rate)
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError("give only one of clipnorm, clipvalue and global_clipnorm")
        self.learning_rate = learning_rate
        self.weight_decay = optional("weight_decay", weight_decay)
        self.clipnorm = optional("clipnorm", clipnorm)
        self.clipvalue = optional("clipvalue", clipvalue)
        self.global_clipnorm = optional("global_clipnorm", global_clipnorm)
        self.use_ema = checks.flag("use_ema", use_ema)
        self.ema_momentum = share("ema_momentum", ema_momentum)
        self.ema_overwrite_frequency = _count("ema_overwrite_frequency", ema_overwrite_frequency, least=1)
        self.loss_scale_factor = optional("loss_scale_factor", loss_scale_factor, least=_TINY)
        self.gradient_accumulation_steps = _count("gradient_accumulation_steps", gradient_accumulation_steps, least=2)
        if not isinstance(name, str | None):
            raise TypeError(f"name must be a string, got {name!r}")
        self.name = numbered(type(self).__name__) if name is None else name
        self._is_named = name is not None
        self._iterations = 0  # batches: more than `iterations` if several make a step
        self._undecayed: tuple[set[Variable], str] = set(), ""  # from the weight decay: variables, a pattern of names
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
    def iterations(self) -> Iterations:
        """The number of steps done."""
        return Iterations(self._done, self)

    @iterations.setter
    def iterations(self, value: int) -> None:
        self._iterations = checks.integer("iterations", value, least=0) * (self.gradient_accumulation_steps or 1)

    @property
    def _done(self) -> int:
        """The number of steps done."""
        return self._iterations // (self.gradient_accumulation_steps or 1)

    @property
    def learning_rate(self) -> LearningRate:
        """The learning rate of the next step: a float, which also has ``assign``, ``numpy()`` and ``value``.

        Raises:
            ValueError: if a schedule returns a number that is not finite or below 0.
            TypeError: if a schedule does not return a number.
        """
        return LearningRate(self._learning_rate_at(self._iterations), self)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if getattr(self, "_schedule", None) is not None and not callable(value):
            raise TypeError(
                "learning_rate follows a schedule, so it cannot be set to a number; make the optimizer with a number "
                "if a callback is to change it"
            )
        self._schedule: Callable[..., Any] | None = value if callable(value) else None
        self._fixed_rate = 0.0 if callable(value) else checks.number("learning_rate", value, least=0)

    lr = learning_rate

    def _learning_rate_at(self, step: int) -> float:
        if self._schedule is None:
            return self._fixed_rate
        name = f"the schedule {name_of(self._schedule)}'s learning rate at step {step}"
        found = self._schedule(step) if isinstance(self._schedule, LearningRateSchedule) else self._schedule()
        return checks.number(name, found, least=0)

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Excludes variables from the weight decay. The choice is not saved with a model.

        Args:
            var_list: variables.
            var_names: regular expressions; a variable is excluded if one occurs in its name, such as ``"bias"``.
        """
        if isinstance(var_names, str):
            raise TypeError(f"var_names must be a list of strings, got {var_names!r}")
        self._undecayed = set(var_list or ()), "|".join(var_names or ())
        recorded.touch()

    def _decay_of(self, variable: Variable) -> float:
        """Returns the weight decay of a variable."""
        return 0.0 if self._is_excluded(variable) else self.weight_decay or 0.0

    def _is_excluded(self, variable: Variable) -> bool:
        variables, names = self._undecayed
        return variable in variables or bool(names and re.search(names, variable.name.rpartition("/")[2]))

    # A step: begin_step, then apply or apply_product for each variable, then end_step. Nothing changes before end_step,
    # so a step that fails earlier, in a user's layer or because there is no memory, leaves everything as it was.

    def begin_step(self) -> None:
        """Prepares for the gradients of a batch."""
        self._products.clear()
        self._updates.clear()
        self.set_step_rates()
        self._in_product = self._is_rule and (
            (self.clipnorm, self.clipvalue, self.global_clipnorm, self.weight_decay) == (None,) * 4
        )

    @property
    def _is_rule(self) -> bool:
        """Whether all of a step's changes are a kernel's rule, so that no Python code takes part in it."""
        return not (self.rule is None or self._is_custom or self.use_ema or self.gradient_accumulation_steps)

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
        if self.gradient_accumulation_steps is None:
            self._clip(gradient)
        for name in self._slots_of(variable):
            self.slot(variable, name)
        self._updates.append((variable, gradient))

    def _clip(self, gradient: Floats) -> None:
        if self.clipvalue:
            kernels.clip(gradient.reshape(-1), self.clipvalue)
        elif self.clipnorm:
            _shorten(gradient, length(gradient), self.clipnorm)

    def _clip_together(self, updates: list[tuple[Variable, Floats]]) -> None:
        if self.global_clipnorm:
            whole = math.sqrt(math.fsum(length(gradient) ** 2 for _, gradient in updates))
            for _, gradient in updates:
                _shorten(gradient, whole, self.global_clipnorm)

    def end_step(self) -> None:
        """Updates all variables whose gradients were handed over.

        If an update raises an exception, which only Python code can do, not a kernel, all variables are restored.
        """
        if self.gradient_accumulation_steps is None:
            self._clip_together(self._updates)
        before = [(array, array.copy()) for array in self._at_risk()] if self._updates else []
        interrupts.updating = not before  # only kernels run, so Ctrl-C can wait until they are done
        done = self._iterations
        try:
            for multiply_and_update, arguments, _ in self._products:
                multiply_and_update(*arguments)
            for variable, gradient in self._updates if self.gradient_accumulation_steps is None else self._means():
                self._update(variable, gradient)
            if self.use_ema:
                from fastnet.optimizers import averaging

                averaging.average(self, [variable for variable, _ in self._updates])
            for variable, _ in self._updates:
                if variable.constraint is not None:
                    variable.packed = variable.pack(variable.constraint.projected(variable.numpy(), variable.name))
            self._iterations = done + 1
        except BaseException:
            self._iterations = done
            for array, value in before:
                array[...] = value
            raise
        finally:
            interrupts.updating = False
            self._products.clear()
            self._updates.clear()

    @np.errstate(all="ignore")  # the loss reports NaN and infinity
    def _means(self) -> list[tuple[Variable, Floats]]:
        """Adds the gradients of this batch to those before it. Returns the means after the last batch, else nothing."""
        steps = self.gradient_accumulation_steps
        assert steps is not None
        is_last = (self._iterations + 1) % steps == 0
        means = []
        for variable, gradient in self._updates:
            sums = self.slot(variable, "gradient_accumulator")
            sums += gradient
            if is_last:
                mean = sums / np.float32(steps)
                sums[...] = 0
                self._clip(mean)
                means.append((variable, mean))
        self._clip_together(means)
        return means

    def _at_risk(self) -> list[Floats]:
        """Returns the arrays that this step changes, if Python code takes part in it and may raise an exception."""
        if self._is_rule and all(variable.constraint is None for variable, _ in self._updates):
            return []
        variables = {variable for variable, _ in self._updates}
        slots = [state for (variable, _), state in self._slots.items() if variable in variables]
        products = [array for *_, arrays in self._products for array in arrays]
        return [*(variable.packed for variable in variables), *slots, *products]

    def _update(self, variable: Variable, gradient: Floats) -> None:
        decay = self._decay_of(variable)
        if decay:
            self._step_rates[0, 5] = self._step_rate * decay
            kernels.decay(variable.packed.reshape(-1), self._step_rates[0])
        self.update_step(gradient, variable, self._step_rate)

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

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> int:
        """Takes a step along gradients of your own, for a training loop without `fit`.

        Args:
            grads_and_vars: pairs of a gradient, as an array of the variable's shape, and the variable. Variables
                whose gradient is None do not change, with a warning.

        Returns:
            The number of steps done.

        Raises:
            ValueError, TypeError: if there is no gradient, or one does not fit. Nothing has changed then.
        """
        pairs = list(grads_and_vars)
        given = [(variable, variable.check(gradient)) for gradient, variable in pairs if gradient is not None]
        if not given:
            raise ValueError("grads_and_vars has no gradient for any variable")
        if len(given) < len(pairs):
            names = [variable.name for gradient, variable in pairs if gradient is None]
            warnings.warn(f"no gradient for {', '.join(names)}: left as they are", stacklevel=2)
        self.begin_step()
        for variable, gradient in given:
            self.apply(variable, variable.pack(gradient / np.float32(self.loss_scale_factor or 1)))
        self.end_step()
        return self.iterations

    def scale_loss(self, loss: Any) -> Any:
        """Returns the loss, multiplied by `loss_scale_factor` if there is one."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Sets the variables to their averages, if `use_ema` keeps them. `fit` does so at its end."""
        if self.use_ema:
            from fastnet.optimizers import averaging

            averaging.overwrite(self, var_list)

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
        self._step_rate = self._step_rates[0, 0] = self._learning_rate_at(self._iterations)
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
                    rates[i, 0] = self._learning_rate_at(self._iterations + i)
                except Exception:  # the step itself raises it again
                    rates = rates[:i]
                    break
        self._set_rates(rates)
        return rates

    @property
    def _is_taped(self) -> bool:
        """Whether its part of a step consists of kernels alone, so that the step can be recorded.

        A function as learning rate is not asked ahead, since it may depend on anything.
        """
        return (
            self._is_rule
            and is_ours(type(self))
            and self.clipnorm is None
            and self.global_clipnorm is None
            and not any(self._undecayed)
            and (self._schedule is None or isinstance(self._schedule, LearningRateSchedule))
        )

    def _arrays(self, variable: Variable) -> tuple[Floats, Floats, Floats]:
        """Returns the array of a variable and two of its state; the rule ignores those that it does not have."""
        names = self.slots
        s = self.slot(variable, names[0]) if names else variable.packed
        t = self.slot(variable, names[1]) if len(names) > 1 else s
        return variable.packed, s, t

    def __getstate__(self) -> dict[str, Any]:
        # A list, because joblib's hash compares the keys of a dict, and the comparison of two variables is an array.
        return vars(self) | {"_slots": list(self._slots.items()), "_arrays_of_layer": {}, "_gradients": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays that joblib maps into memory are read-only, and a copied array may be misaligned.
        slots = {key: own(array) for key, array in state["_slots"]}
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
        """Returns the constructor's arguments. Those that are None are left out."""
        rate: Any = self._fixed_rate
        if self._schedule is not None:
            is_schedule = isinstance(self._schedule, LearningRateSchedule)
            rate = checks.describe(self._schedule) if is_schedule else name_of(self._schedule)
        config: dict[str, Any] = {"name": self.name, "learning_rate": rate}
        if self.use_ema:
            config |= {"use_ema": True, "ema_momentum": self.ema_momentum}
        for name in (
            "weight_decay",
            "clipnorm",
            "clipvalue",
            "global_clipnorm",
            "ema_overwrite_frequency",
            "loss_scale_factor",
            "gradient_accumulation_steps",
        ):
            if getattr(self, name) is not None:
                config[name] = getattr(self, name)
        return config

    def __repr__(self) -> str:
        defaults: dict[str, Any] = {}
        if is_ours(type(self)):
            import inspect

            defaults = {p.name: p.default for p in inspect.signature(type(self)).parameters.values()}
        config = self._shown()
        if self._schedule is not None and "learning_rate" in config:
            config["learning_rate"] = self._schedule
        parts = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}"
            for name, value in config.items()
            if name == "learning_rate" or (name != "name" and defaults.get(name) != value)
        ]
        return f"{type(self).__name__}({', '.join(parts)})"


_TINY = float(np.finfo(np.float32).tiny)


def fraction(argument: str, value: Any) -> float:
    """Returns `value` as a float in [0, 1)."""
    return checks.number(argument, value, least=0, below=1)


def share(argument: str, value: Any) -> float:
    """Returns `value` as a float in [0, 1]."""
    number = checks.number(argument, value, least=0)
    if number > 1:
        raise ValueError(f"{argument} must be a number in [0, 1], got {number!r}")
    return number


def positive(argument: str, value: Any) -> float:
    """Returns `value` as a float above 0, also in float32."""
    return checks.number(argument, value, least=_TINY)


def positive_epsilon(value: Any) -> float:
    """Returns `value` as a float above 0, also in float32."""
    return positive("epsilon", value)


def optional(argument: str, value: Any, least: float = 0) -> float | None:
    """Returns `value` as a float of at least `least`, or None."""
    return None if value is None else checks.number(argument, value, least)


def _count(argument: str, value: Any, least: int) -> int | None:
    return None if value is None else checks.integer(argument, value, least)


def name_of(function: Any) -> str:
    """Returns the name of a function, or of the class of another object that can be called."""
    return getattr(function, "__name__", type(function).__name__)


def _arguments_of(kind: type[Optimizer]) -> Iterator[str]:
    """Yields the names of all arguments of an optimizer's constructor, for an error about one that is unknown."""
    import inspect

    for owner in kind.__mro__:
        if issubclass(owner, Optimizer):
            yield from (p.name for p in inspect.signature(owner).parameters.values() if p.kind is not p.VAR_KEYWORD)


def length(gradient: Floats) -> float:
    """Returns the norm of an array: the root of the sum of squares."""
    return math.sqrt(float(np.square(gradient, dtype=np.float64).sum()))


def _shorten(gradient: Floats, norm: float, most: float) -> None:
    if norm > most:
        gradient *= np.float32(most / norm)
