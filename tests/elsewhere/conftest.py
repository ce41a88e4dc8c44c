"""Tests with other frameworks. They need ``python -m pip install ".[elsewhere]"``, and run only when they are named."""
