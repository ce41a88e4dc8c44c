"""The report: one HTML page about a trained model, to read on a phone, to print, or to hand in.

`page.report` checks, gathers and writes; each section of the page is a module of its own. The package is not called
`report`, since `fastnet.report` is the function, which the import of a module of that name would replace.
"""

from fastnet.reporting.page import report

__all__ = ["report"]
