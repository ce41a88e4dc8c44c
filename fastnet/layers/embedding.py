"""Embedding: a trained row of numbers for each index, such as that of a word."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks, constraints, initializers, regularizers
from fastnet.checks import Floats
from fastnet.layers.base import LAYER_ARGUMENTS, Shape
from fastnet.layers.whole_numbers import LIMIT, Integers, WholeNumbersLayer, whole_numbers


class Embedding(WholeNumbersLayer):
    """Replaces each whole number i of an example by row i of a trained matrix: (n,) becomes (n, output_dim).

    A `Flatten` or `GlobalAveragePooling1D` after it makes rows for a Dense layer. The gradient of row i of the matrix
    is the sum of the gradients at all places of the batch that hold i; the other rows have gradient 0.

    Args:
        input_dim: the number of rows of the matrix; indices are in [0, input_dim).
        output_dim: the length of a row.
        embeddings_initializer: makes the initial matrix.
        embeddings_regularizer: adds a penalty for the matrix to the loss.
        embeddings_constraint: projects the matrix onto the allowed set after each step.
        mask_zero: must be False; fastnet has no masks.
        weights: the initial matrix, or a list of it, instead of `embeddings_initializer`.
        input_length: the length of an example, as in older Keras; the same as ``input_shape=(input_length,)``.
        name, trainable, input_shape: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid; in a call, if an index is not whole or out of range.

    Example:
        >>> Embedding(3, 2, weights=[[0, 1], [2, 3], [4, 5]])([[2, 0]])
        array([[[4., 5.],
                [0., 1.]]], dtype=float32)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        input_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        if input_length is not None:
            kwargs.setdefault("input_shape", (checks.integer("input_length", input_length, least=1),))
        super().__init__(**checks.keywords("Embedding", kwargs, LAYER_ARGUMENTS))
        self.input_dim = checks.integer("input_dim", input_dim, least=1)
        self.output_dim = checks.integer("output_dim", output_dim, least=1)
        if self.input_dim > LIMIT:
            raise ValueError(f"input_dim must be at most 2^24, since indices are float32, got {input_dim}")
        if checks.flag("mask_zero", mask_zero):
            raise ValueError("mask_zero is not supported; expected False, got True")
        self.embeddings_initializer = initializers.get(embeddings_initializer, "embeddings_initializer")
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer, "embeddings_regularizer")
        self.embeddings_constraint = constraints.get(embeddings_constraint, "embeddings_constraint")
        self._given: Floats | None = None
        if weights is not None:
            given = checks.as_float32("weights", checks.numeric("weights", weights))
            given = given[0] if given.ndim == 3 and len(given) == 1 else given
            self._given = checks.same_shape("weights", given, (self.input_dim, self.output_dim))

    def build(self, input_shape: Shape) -> None:
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer if self._given is None else initializers.Constant(self._given),
            name="embeddings",
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.output_dim)

    def outputs(self, x: Floats) -> Floats:
        rows = self._indices(x)
        found = self.embeddings.packed[:, rows.reshape(-1)]  # (panels, places, width of a panel)
        flat = found.transpose(1, 0, 2).reshape(rows.size, -1)[:, : self.output_dim]
        return flat.reshape(*rows.shape, self.output_dim)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> tuple[Floats, list[Floats]]:
        rows = self._indices(x).reshape(-1)
        order = np.argsort(rows, kind="stable")  # brings equal indices together, in the order of the batch
        sorted_rows = rows[order]
        starts = np.flatnonzero(np.diff(sorted_rows, prepend=-1))
        gradient = np.zeros(self.embeddings.shape, np.float32)
        gradient[sorted_rows[starts]] = np.add.reduceat(dy.reshape(len(rows), -1)[order], starts, axis=0)
        return np.zeros_like(x), [gradient]

    def _indices(self, x: Floats) -> Integers:
        return whole_numbers(f"layer {self.name!r}: the input", x, self.input_dim)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
        }

    def __repr__(self) -> str:
        return f"Embedding({self.input_dim}, {self.output_dim})"
