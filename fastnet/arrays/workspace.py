"""Workspaces: the arrays of a layer's outputs and gradients, kept from step to step."""

from __future__ import annotations

from typing import Any

from fastnet import kernels
from fastnet.arrays.panels import zeros
from fastnet.checks import Floats


class Workspace:
    """Memory for a batch's rows of `columns` numbers each, in the layout of the kernels.

    A row consists of whole panels and of an odd number of cache lines. Rows that lie a power of two apart would share a
    few cache sets, and the product for the gradient would lose a quarter of its speed.
    """

    def __init__(self, columns: int) -> None:
        self.width = (kernels.padded(columns) // kernels.PANEL | 1) * kernels.PANEL
        self._array = zeros((0, self.width))

    def rows(self, batch: int) -> Floats:
        """Returns an array (batch, width); the padding after the columns is zero."""
        if batch > len(self._array):
            self._array = zeros((batch, self.width))
        return self._array[:batch]

    def __reduce__(self) -> tuple[Any, ...]:
        return _workspace_of_width, (self.width,)


def _workspace_of_width(width: int) -> Workspace:
    workspace = Workspace(1)
    workspace.width = width
    workspace._array = zeros((0, width))
    return workspace
