"""The rows of data that an export takes or draws, and fastnet's outputs for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks
from fastnet.activations.base import SILENT
from fastnet.checks import Floats
from fastnet.export.c.steps import Affine, Embedding, Step
from fastnet.training.inputs import check_examples

MOST_EXAMPLES = 10_000  # of more examples, every second, third ... is taken


def given_rows(model: Any, examples: Any) -> Any:
    """Returns the examples as rows, (n, inputs), of float32 or uint8.

    Raises:
        ValueError, TypeError: as `predict`, or if there are no examples.
    """
    data = check_examples(examples, "examples", model.input_shape[1:])
    count = len(data.x)
    if not count:
        raise ValueError("examples holds 0 rows; expected at least 1")
    taken = slice(None, None, -(-count // MOST_EXAMPLES))
    if checks.is_scipy_sparse(examples):
        rows = examples.tocsr()[taken].toarray()
        return rows if rows.dtype == np.uint8 else np.asarray(rows, np.float32)
    return data.x.array[taken]  # type: ignore[union-attr]


def chosen_rows(rows: Any) -> Any:
    """Returns the first, the middle and the last row; fewer if there are fewer."""
    return rows[sorted({0, len(rows) // 2, len(rows) - 1})]


def expected(model: Any, rows: Any) -> Floats:
    """Returns fastnet's outputs for rows of inputs, (n, outputs)."""
    shaped = rows.reshape(len(rows), *model.input_shape[1:])
    outputs: Floats = model.predict(shaped, verbose=0).reshape(len(rows), -1)
    if not np.isfinite(outputs).all():
        raise ValueError("the model's output for an example is NaN or infinity; give other rows as examples")
    return outputs


def drawn_rows(steps: list[Step], count: int) -> Floats:
    """Returns rows that look like data, by a fixed seed: inputs between 0 and 1 behind a first layer that scales."""
    random = np.random.default_rng(0).random((count, steps[0].inputs), np.float32)
    first = steps[0]
    if isinstance(first, Embedding):
        return np.floor(random * len(first.table)).astype(np.float32)
    if isinstance(first, Affine):
        spread = {name: first.pattern.spread(array.astype(np.float64)) for name, array in first.arrays.items()}
        factor = spread.get("factor", 1.0)
        safe = np.where(np.abs(factor) < 1e-6, 1.0, factor)
        with np.errstate(**SILENT):
            rows = (random - spread.get("shift", 0.0)) / safe + spread.get("mean", 0.0)
        return rows.astype(np.float32)
    return random
