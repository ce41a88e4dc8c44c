"""Data sets: `mnist`, handwritten digits, and `synthetic`, digits that are drawn here without a download."""

import sys

from fastnet import checks
from fastnet.datasets import mnist, synthetic

__all__ = ["mnist", "synthetic"]

checks.explain_missing(sys.modules[__name__], "fastnet has no data set", __all__)
