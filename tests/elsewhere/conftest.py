"""Tests with other frameworks. They need ``python -m pip install ".[elsewhere]"``, and run only when they are named."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # read when Keras is first imported
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # the models are small: compiling takes most of the time
