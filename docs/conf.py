"""The site: `sphinx-build -W --keep-going docs .site` makes it; `.site/index.html` opens without a server or network.

Pages are Markdown (MyST), the reference comes from the docstrings, formulas become MathML here and not in the browser.
"""

import html
import re
from pathlib import Path
from typing import Any

import docutils.nodes
import latex2mathml.converter

from fastnet import __version__

# The site -------------------------------------------------------------------------------------------------------------

project = "fastnet"
author = "The fastnet developers"
release = version = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["**/.ipynb_checkpoints"]

html_theme = "furo"
html_title = "fastnet"
html_static_path = ["assets"]
html_css_files = ["fastnet.css"]
html_favicon = html_logo = "assets/logo.svg"
html_show_copyright = False
html_copy_source = False
html_show_search_summary = False  # a page opened as a file may not fetch others
pygments_style, pygments_dark_style = "default", "github-dark"

# Pages ----------------------------------------------------------------------------------------------------------------

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the tests run the notebooks; the site shows what they have kept


def notebook_outputs(app: Any) -> None:
    """Keeps the notebooks' pictures with the build's other files; MyST-NB makes a folder beside the site for them."""
    folder = Path(app.doctreedir, "jupyter_execute")
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(folder))


def titles(app: Any, docname: str, source: list[str]) -> None:
    """A block's title, as in ```python title="dense.py", which other readers of Markdown leave out, is its caption."""
    source[0] = re.sub(r'^```(\w+) title="(.*)"$', r"```{code-block} \1\n:caption: \2\n", source[0], flags=re.MULTILINE)


def drawings(app: Any, doctree: docutils.nodes.document) -> None:
    """SVG files become part of the page, so that their currentColor is the text's, light or dark."""
    for image in list(doctree.findall(docutils.nodes.image)):
        file = Path(app.srcdir, image["uri"])
        if file.suffix == ".svg" and file.is_file():
            svg = file.read_text(encoding="utf-8")
            label = html.escape(image.get("alt", ""))
            drawing = f'<div class="drawing" role="img" aria-label="{label}">{svg}</div>'
            image.replace_self(docutils.nodes.raw("", drawing, format="html"))


# The reference --------------------------------------------------------------------------------------------------------

default_role = "py:obj"  # `Dense` in a docstring is a link, and what is no name stays code
add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False  # a method is described where it is promised, not again in every subclass
autodoc_typehints = "none"  # most arguments take several types; the text says which
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 88
COLON = "\ue000"  # stands for one, where it must not be seen


def plain_text(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """In our docstrings stars are products and arguments, and bars are absolute values: no markup.

    Nor is the underscore at the end of a name, such as that of scikit-learn's attributes.
    """
    for i, line in enumerate(lines):
        if not line.lstrip().startswith(">>>"):
            lines[i] = re.sub(r"([*|])", r"\\\1", line).replace(COLON, ":")
            lines[i] = re.sub(r"(`+[^`]+`+)|(?<=\w)_(?!\w)", lambda found: found[1] or r"\_", lines[i])


def no_types(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Hides colons from Napoleon, which takes what stands before one for the type of a result or a property."""
    hidden, section = what in ("property", "attribute", "data"), ""
    for i, line in enumerate(lines):
        if not hidden and re.match(r"\w+:$", line):
            section = line
        elif hidden or section == "Returns:":
            lines[i] = line.replace(":", COLON)


# Formulas -------------------------------------------------------------------------------------------------------------


def inline_formula(writer: Any, node: docutils.nodes.math) -> None:
    writer.body.append(latex2mathml.converter.convert(node.astext()))
    raise docutils.nodes.SkipNode


def block_formula(writer: Any, node: docutils.nodes.math_block) -> None:
    formula = latex2mathml.converter.convert(node.astext(), display="block")
    writer.body.append(f'<div class="formula" tabindex="0">{formula}</div>')
    raise docutils.nodes.SkipNode


html_math_renderer = "mathml"


def setup(app: Any) -> None:
    app.add_html_math_renderer("mathml", (inline_formula, None), (block_formula, None))
    app.connect("builder-inited", notebook_outputs, priority=600)  # MyST-NB's is 500
    app.connect("source-read", titles)
    app.connect("doctree-read", drawings)
    app.connect("autodoc-process-docstring", no_types, priority=400)  # Napoleon's is 500
    app.connect("autodoc-process-docstring", plain_text, priority=600)
