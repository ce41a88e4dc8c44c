"""Plots of data, training and network, on matplotlib's axes: an extra, `python -m pip install "fastnet[plot]"`.

Each function takes an axes, or makes one, draws into it and returns it; ``plt.show()`` shows it, ``ax.figure.savefig``
keeps it. `save_all` writes the whole set as files.
"""

from fastnet.plotting.axes import require_matplotlib
from fastnet.plotting.files import save_all
from fastnet.plotting.images import activations, digits, weights
from fastnet.plotting.results import calibration, confusion_matrix, mistakes
from fastnet.plotting.training import StepHistory, history

__all__ = [
    "StepHistory",
    "activations",
    "calibration",
    "confusion_matrix",
    "digits",
    "history",
    "mistakes",
    "require_matplotlib",
    "save_all",
    "weights",
]
