"""Plots data, trainings and networks on matplotlib's axes.

This package needs matplotlib: `python -m pip install matplotlib`.

Each function draws into the axes `ax`, or into new axes, and returns them. ``plt.show()`` shows a plot,
``ax.figure.savefig`` saves it. `save_all` writes all plots as files::

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

Labels are whole numbers (n,) or one-hot rows (n, classes). Images are (n, 28, 28) or (n, 784), or of another square
size.
"""

from fastnet.plotting.axes import require_matplotlib
from fastnet.plotting.curves import StepHistory, history
from fastnet.plotting.files import save_all
from fastnet.plotting.images import activations, digits, weights
from fastnet.plotting.predictions import calibration, confusion_matrix, mistakes

__all__ = [
    "StepHistory", "activations", "calibration", "confusion_matrix", "digits", "history", "mistakes",
    "require_matplotlib", "save_all", "weights",
]  # fmt: skip
