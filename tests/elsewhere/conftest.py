"""Tests with other frameworks. They need ``python -m pip install ".[elsewhere]"``, and run only when they are named."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # read when Keras is first imported
