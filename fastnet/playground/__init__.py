"""The playground: a page to draw a digit on and watch a network read it. Run it: python -m fastnet.playground

The page computes everything itself. So the served page and the file of `export_html` are the same.
"""

from fastnet.playground.page import UnsuitableModelError, export_html

__all__ = ["UnsuitableModelError", "export_html"]
