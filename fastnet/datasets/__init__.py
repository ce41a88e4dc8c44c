"""Data sets: mnist, the handwritten digits, and synthetic, digits that are drawn here and need no network."""

from fastnet.datasets import mnist, synthetic

__all__ = ["mnist", "synthetic"]
