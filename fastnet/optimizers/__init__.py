"""Optimizers: what to do with a gradient."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from fastnet import checks, kernels
from fastnet.arrays.panels import own
from fastnet.arrays.sparse import CscBatch
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers import schedules
from fastnet.optimizers.schedules import LearningRateSchedule
from fastnet.recorded import Recorded
from fastnet.terminal import interrupts


class Sink(Protocol):
    """Where a layer's `backward` hands its gradients: an optimizer, or whoever wants to see them."""

    def begin_step(self) -> None:
        """Makes ready for the gradients of a batch."""

    def apply_product(self, x: Floats | CscBatch, dz: Floats, kernel: Variable, bias: Variable) -> None:
        """Takes the gradients x^T . dz of `kernel` and the column sums of dz of `bias`, not multiplied yet.

        x and dz must stay as they are until `end_step`.
        """

    def apply(self, variable: Variable, gradient: Floats) -> None:
        """Takes a gradient that is an array, packed as `variable.packed` is."""

    def end_step(self) -> None:
        """Knows that all gradients of the batch are there."""


def multiply(x: Floats | CscBatch, dz: Floats, kernel: Variable, bias: Variable) -> tuple[Floats, Floats]:
    """The gradients of kernel and bias as arrays, packed as their variables are."""
    dw, db = np.empty_like(kernel.packed), np.empty_like(bias.packed)
    if isinstance(x, CscBatch):
        kernels.csrmm_tn(*x, dz, dw, db)
    else:
        kernels.gemm_tn(x, dz, dw, db)
    return dw, db


class Optimizer(Recorded):
    """Base of all optimizers: a learning rate, and state beside each variable.

    A subclass of your own overrides `update_step`, which changes one variable. Those here name a kernel's `rule`
    instead, which can also update while the gradient is still being multiplied, so that it is never written.

    Args:
        learning_rate: size of a step, at least 0, or a schedule of `fastnet.optimizers.schedules`.
        weight_decay: share of the weight, times the learning rate, that each step takes off before anything else.
        clipnorm: the longest that a variable's gradient may be.
        clipvalue: the greatest that a number of a gradient may be, either way.
        global_clipnorm: the longest that all gradients together may be.
        name: a name for it.

    Raises:
        ValueError: if a number is out of its range, or two ways to clip are given.
        TypeError: if it is no number.
    """

    rule: int | None = None  # the kernel's update rule, if it has one
    slots: tuple[str, ...] = ()  # names of the state that is kept for each variable; a rule takes the first two

    def __init__(
        self,
        learning_rate: Any,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ) -> None:
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
        # What the step under way will do once all its gradients are there.
        self._products: list[tuple[Any, ...]] = []
        self._updates: list[tuple[Variable, Floats]] = []
        self._step_rate = 0.0
        self._step_rates: tuple[float, ...] = ()
        self._in_product = False

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step.

        Raises:
            ValueError, TypeError: if a schedule returns something else than a finite number of at least 0.
        """
        if self._schedule is None:
            return self._fixed_rate
        name = f"the schedule {type(self._schedule).__name__}'s learning rate at step {self.iterations}"
        return checks.number(name, self._schedule(self.iterations), least=0)

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

    def slot(self, variable: Variable, name: str) -> Floats:
        """The state called `name` of this variable, packed as it is; zeros at first."""
        key = (variable, name)
        if key not in self._slots:
            state = variable.pack(np.zeros(variable.shape, np.float32))
            self._slots[key] = state
        return self._slots[key]

    # A step: begin_step, then apply or apply_product for each variable, then end_step. Nothing changes before end_step:
    # a step that fails on its way there, for want of memory or in a layer of the user's own, has not happened.

    def begin_step(self) -> None:
        """Makes ready for the gradients of a batch."""
        self._products.clear()
        self._updates.clear()
        self._step_rate = self.learning_rate
        self._step_rates = self._rates()
        self._in_product = (
            self.rule is not None
            and type(self) in CLASSES.values()  # one of the user's own may have an update_step of its own
            and (self.clipnorm, self.clipvalue, self.global_clipnorm, self.weight_decay) == (None,) * 4
        )

    def apply_product(self, x: Floats | CscBatch, dz: Floats, kernel: Variable, bias: Variable) -> None:
        """Takes the gradients x^T . dz of `kernel` and the column sums of dz of `bias`.

        Where the rule allows it, they are multiplied in `end_step` by the kernel that updates, and never written.
        """
        if self._in_product and kernel.is_plain and bias.is_plain:
            self._products.append((x, dz, bias, *self._arrays(kernel), *self._arrays(bias)))
            return
        dw, db = multiply(x, dz, kernel, bias)
        self.apply(kernel, dw)
        if not bias.frozen_at_zero:
            self.apply(bias, db)

    def apply(self, variable: Variable, gradient: Floats) -> None:
        """Takes the gradient of a variable, packed as it is; the array becomes the optimizer's."""
        if not variable.trainable:
            return
        if variable.regularizer is not None:
            gradient += variable.pack(variable.regularizer.checked_gradient(variable.numpy(), variable.name))
        if self.clipvalue is not None:
            np.clip(gradient, -self.clipvalue, self.clipvalue, out=gradient)
        elif self.clipnorm is not None:
            _shorten(gradient, _length(gradient), self.clipnorm)
        for name in self.slots:
            self.slot(variable, name)
        self._updates.append((variable, gradient))

    def end_step(self) -> None:
        """Updates all variables whose gradients were handed over.

        If an update raises an exception, which only Python code can do, not a kernel, all are put back first.
        """
        if self.global_clipnorm is not None:
            length = math.sqrt(math.fsum(_length(gradient) ** 2 for _, gradient in self._updates))
            for _, gradient in self._updates:
                _shorten(gradient, length, self.global_clipnorm)
        decays = [self._decay(variable) for variable, _ in self._updates]
        before = [(array, array.copy()) for array in self._at_risk()]
        interrupts.updating = not before  # kernels alone, which come to their end by themselves
        self.iterations += 1
        try:
            for product in self._products:
                self._multiply_and_update(*product)
            for (variable, gradient), decay in zip(self._updates, decays, strict=True):
                self._update(variable, gradient, decay)
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
        """The arrays of this step, if Python code takes part in it and may raise an exception."""
        is_safe = self.rule is not None and type(self).update_step.__module__.startswith("fastnet.")
        if is_safe and all(variable.constraint is None for variable, _ in self._updates):
            return []
        variables = {variable for variable, _ in self._updates}
        slots = [state for (variable, _), state in self._slots.items() if variable in variables]
        products = [array for product in self._products for array in product[3:]]
        return [*(variable.packed for variable in variables), *slots, *products]

    def _multiply_and_update(
        self, x: Any, dz: Floats, bias: Variable, w: Floats, s: Floats, t: Floats, b: Floats, bs: Floats, bt: Floats
    ) -> None:
        """The products x^T . dz and the rule on what they give, in one kernel."""
        assert self.rule is not None
        if isinstance(x, CscBatch):
            kernels.csrmm_tn_update(*x, dz, self.rule, w, s, t, b, bs, bt, *self._step_rates)
        else:
            kernels.gemm_tn_update(x, dz, self.rule, w, s, t, b, bs, bt, *self._step_rates)
        if bias.frozen_at_zero:
            bias.packed.fill(0)

    def _decay(self, variable: Variable) -> Floats | None:
        """What the weight decay takes off."""
        if not self.weight_decay:
            return None
        decay: Floats = variable.packed * np.float32(self.weight_decay * self._step_rate)
        return decay

    def _update(self, variable: Variable, gradient: Floats, decay: Floats | None) -> None:
        if decay is not None:
            variable.packed -= decay
        self.update_step(gradient, variable, self._step_rate)
        if variable.constraint is not None:
            variable.packed = variable.pack(variable.constraint.projected(variable.numpy(), variable.name))

    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        """Changes `variable.packed` in place; `gradient` is packed as it is."""
        if self.rule is None:
            raise NotImplementedError(f"{type(self).__name__} has no update_step()")
        w, s, t = (array.reshape(-1) for array in self._arrays(variable))
        kernels.update(self.rule, w, gradient.reshape(-1), s, t, *self._step_rates)

    def _rates(self) -> tuple[float, ...]:
        """The rule's numbers for the step after `iterations` steps: rate, m, n, epsilon and, or not, k (update.pxi)."""
        return self._step_rate, 0.0, 0.0, 0.0

    def _arrays(self, variable: Variable) -> tuple[Floats, Floats, Floats]:
        """The variable's array and the two of its state; where the rule has none, the first stands in, unused."""
        names = self.slots
        s = self.slot(variable, names[0]) if names else variable.packed
        t = self.slot(variable, names[1]) if len(names) > 1 else s
        return variable.packed, s, t

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What joblib maps into memory is read-only, and a copied array begins anywhere.
        slots = {key: own(array) for key, array in state["_slots"].items()}
        self.__dict__.update(state, _slots=slots, _products=[], _updates=[])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        rate = checks.describe(self._schedule) if self._schedule else self._fixed_rate
        config: dict[str, Any] = {"learning_rate": rate}
        for name in ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm"):
            if getattr(self, name) is not None:
                config[name] = getattr(self, name)
        return config

    def __repr__(self) -> str:
        known = CLASSES.get(type(self).__name__)
        defaults = known().get_config() if known else {}  # type: ignore[call-arg]
        config = self._shown()
        if self._schedule and "learning_rate" in config:
            config["learning_rate"] = self._schedule
        parts = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}"
            for name, value in config.items()
            if name == "learning_rate" or defaults.get(name) != value
        ]
        return f"{type(self).__name__}({', '.join(parts)})"


def _length(gradient: Floats) -> float:
    return math.sqrt(float(np.square(gradient, dtype=np.float64).sum()))


def _shorten(gradient: Floats, length: float, most: float) -> None:
    if length > most:
        gradient *= np.float32(most / length)


class SGD(Optimizer):
    """A step against the gradient, if wanted with momentum.

    w <- w - learning_rate g;  with momentum: v <- momentum v - learning_rate g, w <- w + v, or, `nesterov`,
    w <- w + momentum v - learning_rate g. Source: I. Sutskever et al., "On the importance of initialization and
    momentum in deep learning", 2013.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        momentum: how much of the last step stays, in [0, 1).
        nesterov: whether to look ahead.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if it is no number.
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any) -> None:
        self.momentum = checks.number("momentum", momentum, least=0, below=1)
        self.nesterov = bool(nesterov)
        self.rule = kernels.SGD if not self.momentum else kernels.NESTEROV if self.nesterov else kernels.MOMENTUM
        self.slots = ("velocity",) if self.momentum else ()
        _start(self, learning_rate, kwargs)

    def _rates(self) -> tuple[float, ...]:
        return self._step_rate, self.momentum, 0.0, 0.0

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """Divides each gradient by the running root mean square of its past.

    v <- rho v + (1 - rho) g^2;  w <- w - learning_rate g / sqrt(v + epsilon)

    `centered` takes the variance instead: m <- rho m + (1 - rho) g and sqrt(v - m^2 + epsilon). With `momentum` a step
    d becomes b <- momentum b + d. Source: T. Tieleman and G. Hinton, Lecture 6.5 of "Neural Networks for Machine
    Learning", 2012; details as in Keras.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        rho: how much of the past stays, in [0, 1).
        momentum: how much of the last step stays, in [0, 1).
        epsilon: keeps the root from zero; above 0.
        centered: whether to subtract the mean.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if it is no number.

    Example:
        >>> RMSprop(learning_rate=0.01)
        RMSprop(learning_rate=0.01)
    """

    slots = ("velocity",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ) -> None:
        self.rho = checks.number("rho", rho, least=0, below=1)
        self.momentum = checks.number("momentum", momentum, least=0, below=1)
        self.epsilon = _epsilon(epsilon)
        self.centered = bool(centered)
        self.rule = None if self.centered or self.momentum else kernels.RMSPROP
        self.slots = (
            "velocity",
            *(("average_gradient",) if centered else ()),
            *(("momentum",) if self.momentum else ()),
        )
        _start(self, learning_rate, kwargs)

    def _rates(self) -> tuple[float, ...]:
        return self._step_rate, self.rho, 0.0, self.epsilon

    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        if self.rule is not None:
            super().update_step(gradient, variable, learning_rate)
            return
        # The two variants have no kernel of their own: they are rare, and NumPy is fast enough for them.
        variance = self.slot(variable, "velocity")
        with np.errstate(all="ignore"):  # the loss reports NaN and infinity
            variance[...] = self.rho * variance + (1 - self.rho) * gradient * gradient
            if self.centered:
                mean = self.slot(variable, "average_gradient")
                mean[...] = self.rho * mean + (1 - self.rho) * gradient
                variance = variance - mean * mean
            step = learning_rate * gradient / np.sqrt(variance + self.epsilon)
            if self.momentum:
                momentum = self.slot(variable, "momentum")
                momentum[...] = self.momentum * momentum + step
                step = momentum
            variable.packed -= step

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


class Adam(Optimizer):
    """A running mean of the gradient over the running root mean square of it, both corrected for their start at zero.

    m <- m + (g - m)(1 - beta_1);  v <- v + (g^2 - v)(1 - beta_2);  w <- w - a m / (sqrt(v) + epsilon), in step t with
    a = learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t). Source: D. Kingma and J. Ba, "Adam: a method for stochastic
    optimization", 2015, where epsilon stands as in Keras.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        beta_1, beta_2: how much of the past stays, in [0, 1).
        epsilon: keeps the root from zero; above 0.
        amsgrad: False; the variant is not there.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if it is no number.
    """

    rule = kernels.ADAM
    slots = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        if amsgrad:
            raise ValueError("amsgrad=True is not supported; expected False")
        self.beta_1 = checks.number("beta_1", beta_1, least=0, below=1)
        self.beta_2 = checks.number("beta_2", beta_2, least=0, below=1)
        self.epsilon = _epsilon(epsilon)
        _start(self, learning_rate, kwargs)

    def _rates(self) -> tuple[float, ...]:
        t = self.iterations + 1
        rate = self._step_rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        return rate, self.beta_1, self.beta_2, self.epsilon

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class AdamW(Adam):
    """Adam with a weight decay that is not part of the gradient: first w <- w - learning_rate weight_decay w.

    Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019.

    Args:
        learning_rate, beta_1, beta_2, epsilon, amsgrad: as for `Adam`.
        weight_decay: at least 0; 0.004 by default, as in Keras.
        clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if it is no number.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)


class Adagrad(Optimizer):
    """Divides each gradient by the root of the sum of the squares of its past.

    a <- a + g^2;  w <- w - learning_rate g / sqrt(a + epsilon), a at first `initial_accumulator_value`.
    Source: J. Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", 2011.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        initial_accumulator_value: where the sums begin, at least 0.
        epsilon: keeps the root from zero; above 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if it is no number.
    """

    rule = kernels.ADAGRAD
    slots = ("accumulator",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        self.initial_accumulator_value = checks.number("initial_accumulator_value", initial_accumulator_value, least=0)
        self.epsilon = _epsilon(epsilon)
        _start(self, learning_rate, kwargs)

    def slot(self, variable: Variable, name: str) -> Floats:
        is_new = (variable, name) not in self._slots
        state = super().slot(variable, name)
        if is_new:
            state.fill(self.initial_accumulator_value)
        return state

    def _rates(self) -> tuple[float, ...]:
        return self._step_rate, 0.0, 0.0, self.epsilon

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }


_STEPS = 1_000_000  # that Nadam walks through again when a training goes on


class Nadam(Optimizer):
    """Adam with Nesterov's look ahead: the step is along the mean that the next gradient is expected to leave.

    u_t = beta_1 (1 - 0.5 * 0.96^t), U_t = u_1 ... u_t;  m <- beta_1 m + (1 - beta_1) g;
    v <- beta_2 v + (1 - beta_2) g^2;
    w <- w - learning_rate (u_(t+1) m / (1 - U_(t+1)) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon).
    Source: T. Dozat, "Incorporating Nesterov momentum into Adam", 2016, with Keras's schedule of u.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        beta_1, beta_2: how much of the past stays, in [0, 1).
        epsilon: keeps the root from zero; above 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if it is no number.
    """

    rule = kernels.NADAM
    slots = ("momentum", "velocity")
    _u_products = 0, 1.0  # the last step whose U was needed, and that

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        self.beta_1 = checks.number("beta_1", beta_1, least=0, below=1)
        self.beta_2 = checks.number("beta_2", beta_2, least=0, below=1)
        self.epsilon = _epsilon(epsilon)
        _start(self, learning_rate, kwargs)

    def _rates(self) -> tuple[float, ...]:
        # The formula's quotient times sqrt(1 - beta_2^t) above and below, with the gradient's factor before the sum.
        t = self.iterations + 1
        root = math.sqrt(1 - math.pow(self.beta_2, t))
        now, u_ahead = self._product(t), self._u(t + 1)
        of_gradient, of_mean = (1 - self._u(t)) / (1 - now), u_ahead / (1 - now * u_ahead)
        rate = self._step_rate * root * of_gradient
        return rate, self.beta_1, self.beta_2, self.epsilon * root, of_mean / of_gradient

    def _u(self, t: int) -> float:
        return self.beta_1 * (1 - 0.5 * math.pow(0.96, t))

    def _product(self, t: int) -> float:
        """U_t, made from that of the step before where that is known: a training that goes on has none at first."""
        step, product = self._u_products
        if step > t:
            step, product = 0, 1.0
        for i in range(step + 1, t + 1):
            if not product or i - step > _STEPS:
                # By then u equals beta_1. Only a file that somebody wrote by hand has so many steps.
                product *= math.pow(self.beta_1, t + 1 - i)
                break
            product *= self._u(i)
        self._u_products = t, product
        return product

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


def _epsilon(value: Any) -> float:
    return checks.number("epsilon", value, least=float(np.finfo(np.float32).tiny))


def _start(optimizer: Optimizer, learning_rate: Any, kwargs: dict[str, Any]) -> None:
    """The rest of a constructor: the base's, with the older spelling `lr=` for `learning_rate=`."""
    accepted = ("lr", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "name")
    others = "learning_rate", *vars(optimizer)
    given = dict(checks.keywords(type(optimizer).__name__, kwargs, accepted, others))
    learning_rate = given.pop("lr", learning_rate)
    if isinstance(learning_rate, dict):
        learning_rate = schedules.get(learning_rate)
    Optimizer.__init__(optimizer, learning_rate, **given)


CLASSES: dict[str, type[Optimizer]] = {c.__name__: c for c in (SGD, RMSprop, Adam, AdamW, Adagrad, Nadam)}
_BY_NAME: dict[str, type[Optimizer]] = {name.lower(): c for name, c in CLASSES.items()}


def get(identifier: Any) -> Optimizer:
    """A new optimizer of a name, with its defaults, or the object itself. Capital letters in a name do not matter.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is neither a name nor an optimizer.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    return checks.build("optimizer", identifier, _BY_NAME, any_case=True)
