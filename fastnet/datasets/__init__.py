"""Data sets: mnist, the handwritten digits, and synthetic, digits that are drawn here and need no network."""

import sys

from fastnet import checks
from fastnet.datasets import mnist, synthetic

__all__ = ["mnist", "synthetic"]

checks.explain_missing(sys.modules[__name__], "fastnet has no data set", __all__)
