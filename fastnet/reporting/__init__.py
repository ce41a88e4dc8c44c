"""The report: one HTML page about a trained model, to read on a phone, to print or to hand in.

`page.report` checks its arguments, collects the results and writes the page. Each section of the page has its own
module. The package is not called `report`, because importing it would replace the function `fastnet.report`.
"""

from fastnet.reporting.page import report

__all__ = ["report"]
