"""Model: a chain of layers that can be trained, looked at, saved and exported.

trainer.py has the training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnet.layers import InputLayer
from fastnet.layers.tensor import chain
from fastnet.models.trainer import Trainer

if TYPE_CHECKING:
    from fastnet.inspection.gradient_check import GradientTable
    from fastnet.inspection.profiling import Profile


class Model(Trainer):
    """A model made of a chain of layers, each called on the output of the one before: the functional API.

    A `Sequential` of the same layers is the same model. It has no `InputLayer` among its `layers`.

    Args:
        inputs: the tensor at the start of the chain, usually an `Input`; or a list of one.
        outputs: the tensor at its end; or a list of one.
        name: the name of the model in `summary`.
        trainable: whether the layers may be trained.

    Raises:
        TypeError: if an argument is not a tensor.
        ValueError: if there are several inputs or outputs, or the layers are not one chain.

    Example:
        >>> from fastnet.layers import Dense, Input
        >>> inputs = Input((784,))
        >>> x = Dense(512, activation="relu")(inputs)
        >>> Model(inputs, Dense(10, activation="softmax")(x)).output_shape
        (None, 10)
    """

    _input_layer: InputLayer | None = None  # a Sequential has none

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True
    ) -> None:
        if hasattr(self, "call") or (inputs is None and outputs is None):
            raise TypeError(
                "a Model is made of tensors, Model(inputs, outputs), not of a call() of its own: put a Layer with "
                "call() and gradient() into a Sequential"
            )
        super().__init__(name, "functional")
        self._make_untrained()
        first, last, layers = chain(inputs, outputs)
        is_whole = isinstance(first.layer, InputLayer)  # else the chain begins inside another model
        self._input_layer = first.layer if is_whole else InputLayer(first.example_shape)
        self._input_shape = first.example_shape
        for layer in layers:
            self._add(layer)
        if is_whole:
            self._start, self._end = first, last
        if not trainable:
            self.trainable = False

    @property
    def layers(self) -> list[Any]:
        """A new list of the layers. The `InputLayer` comes first."""
        return [*([] if self._input_layer is None else [self._input_layer]), *self._entries]

    # Looking inside ---------------------------------------------------------------------------------------------------

    def check_gradients(self, x: Any, y: Any, *, samples: int = 20, print_fn: Any = None) -> GradientTable:
        """Compares the weights' gradients with central differences. Returns a table to print: gradient_check.py."""
        from fastnet.inspection.gradient_check import check_gradients

        return check_gradients(self, x, y, samples=samples, print_fn=print_fn)

    def profile(self, x: Any, y: Any, batch_size: int = 32, *, epochs: int = 1, print_fn: Any = None) -> Profile:
        """Trains a copy and measures the time of each kernel. Returns a table to print: profiling.py."""
        from fastnet.inspection.profiling import profile

        return profile(self, x, y, batch_size=batch_size, epochs=epochs, print_fn=print_fn)

    # Keeping ----------------------------------------------------------------------------------------------------------

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Writes layers, weights, compile arguments and the optimizer's state to a file: `fastnet.saving.save_model`.

        The name ends in ``.safetensors``, or in ``.keras`` for a file that Keras 3 opens, too.
        """
        from fastnet import saving

        saving.save_model(self, filepath, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Writes the weights to a file: `fastnet.saving.save_weights`.

        The name ends in ``.weights.safetensors``, or in ``.weights.h5`` for a file that Keras 3 opens, too.
        """
        from fastnet import saving

        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Sets the weights from a file of `save_weights`, `save` or Keras. If they do not fit, nothing changes."""
        from fastnet import saving

        saving.load_weights(self, filepath)

    def export(
        self,
        filepath: Any,
        format: Any = None,
        verbose: Any = None,
        input_signature: Any = None,
        *,
        overwrite: bool = True,
        **options: Any,
    ) -> None:
        """Writes what `predict` computes to a file for another program.

        The file is never half written: after an error, the old file is unchanged. It has no optimizer and no loss, so
        the training cannot go on from it: for that, use `save`.

        Args:
            filepath: the file's name. Its ending chooses the format: ``.onnx`` for ONNX Runtime and other programs,
                ``.h`` for C and C++.
            format: the format's name, ``"onnx"`` or ``"c"``, as in Keras. It must fit the ending.
            verbose: whether to print the file's name and size.
            input_signature: what the input looks like, as in Keras, such as ``model.inputs``. It must be the model's
                own input. The batch may have any size anyway.
            overwrite: whether to replace an existing file.
            options: for ``.onnx``: ``opset_version``, the set of standard operators, from 13 to 28. By default it is
                28, or the newest that the installed package onnx has. An older program may need an older set.
                For ``.h``: ``integer``, True for weights of 8 bits and no floating point; ``examples``, (n, ...),
                typical inputs in float32 or uint8, from which the integer form takes its ranges, and both forms their
                test rows; ``name``, with which all names in the file begin, by default the file's name.

        Raises:
            ValueError: if the name has another ending, the model is not built, a weight is NaN or infinite, or an
                argument does not fit; if the format has nothing for a layer or an activation, as for a `Lambda` or
                your own class. The message names it.
            TypeError: if there is no such option, or an argument is of another type.
            ImportError: if a package is missing that the format needs. The message has the command that installs it.
            FileNotFoundError: if there is no such folder.
            FileExistsError: if the file exists and `overwrite` is False.
            PermissionError: if the file is read-only, or the folder is.
            OSError: if the file cannot be written.
        """
        from fastnet.export import export

        export(self, filepath, format, verbose, input_signature, overwrite, **options)

    def get_config(self) -> dict[str, Any]:
        """Returns the model's name and layers, from which `from_config` makes an equal model with new weights."""
        from fastnet.saving import configuration

        return configuration.model_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Makes a new model from the result of `get_config`; `custom_objects` maps names to your own classes."""
        from fastnet.saving import configuration

        return configuration.model_from_config(config, custom_objects)

    def to_json(self, **kwargs: Any) -> str:
        """Returns the result of `get_config` as JSON text, for `model_from_json`."""
        import json  # here, so that `import fastnet` stays fast

        from fastnet.saving import configuration
        from fastnet.saving.layout import plain_number

        described = {"class_name": configuration.kind_of(self), "config": self.get_config()}
        return json.dumps(described, **{"default": plain_number, **kwargs})
