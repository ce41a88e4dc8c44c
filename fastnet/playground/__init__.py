"""The playground: a page on which one draws a digit and watches a network read it. Run it: python -m fastnet.playground

The page computes everything itself, so the page that is served and the file that `export_html` writes are the same.
"""

from fastnet.playground.page import UnsuitableModelError, export_html

__all__ = ["UnsuitableModelError", "export_html"]
