"""Plots of data, training and network, on matplotlib's axes.

They need matplotlib: `python -m pip install matplotlib`.

Each function takes an axes, or makes one, draws into it and returns it; ``plt.show()`` shows it, ``ax.figure.savefig``
keeps it. `save_all` writes the whole set as files::

    from matplotlib import pyplot as plt
    from fastnet import plotting

    history = model.fit(x_train, y_train, epochs=5, validation_data=(x_test, y_test))
    plotting.history(history, metrics="accuracy")
    plotting.mistakes(model, x_test, y_test)
    plt.show()

    figure, (left, right) = plt.subplots(1, 2)
    plotting.digits(x_test[:30], y_test[:30], model.predict(x_test[:30]), ax=left)
    plotting.confusion_matrix(y_test, model.predict(x_test), ax=right)
    figure.savefig("results.png")

Labels are whole numbers (n,) or one-hot rows (n, classes), images (n, 28, 28) or (n, 784), or of any other square size.
"""

from fastnet.plotting.axes import require_matplotlib
from fastnet.plotting.curves import StepHistory, history
from fastnet.plotting.files import save_all
from fastnet.plotting.images import activations, digits, weights
from fastnet.plotting.predictions import calibration, confusion_matrix, mistakes

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
