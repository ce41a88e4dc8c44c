"""Pieces of C text: names, literals, arrays and comments."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator
from importlib import resources
from typing import Any

import numpy as np

WIDTH = 118  # the longest line
# The C types of arrays, and the endings of the macros that read them.
TYPES = {
    "float32": ("float", "F32"), "int8": ("int8_t", "I8"), "int16": ("int16_t", "I16"), "int32": ("int32_t", "I32"),
    "uint8": ("uint8_t", "U8"), "uint16": ("uint16_t", "U16"), "uint32": ("uint32_t", "U32"),
}  # fmt: skip
SIZES = {"float": 4, "int16_t": 2}


def prefix_of(name: Any, path: str) -> str:
    """Returns the prefix of all names in the file: the given one, or one made of the file's name.

    Raises:
        ValueError: if the given one is not a name in C, or could be one of the compiler's own.
        TypeError: if it is not a string.
    """
    if name is None:
        stem = os.path.basename(path).rpartition(".")[0]
        words = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_")[:40].strip("_")
        return (words if re.match("[A-Za-z]", words) else f"model_{words}".strip("_")).lower()
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, the prefix of the names in C, got {name!r}")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", name) or len(name) > 40:
        raise ValueError(
            f"name must be a prefix for names in C, such as 'digits': a letter, then letters, digits and single "
            f"underscores, at most 40 characters; got {name!r}"
        )
    return name


def plain(text: str) -> str:
    """Returns a user's text as it may stand in a comment: it cannot end the comment or join it with the next line."""
    shown = re.sub(r"[^ -~]", "?", text)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    shown = shown.replace("\\", "|").replace("*/", "* /").replace("/*", "/ *")
    return re.sub(r"\?(?=\?)", "? ", shown)


def comment(text: str) -> str:
    """Returns a comment of the paragraphs of a text, wrapped. Lines that begin with a blank stay as they are."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        is_code = paragraph.startswith(" ") or not paragraph
        lines += [paragraph[: WIDTH - 3]] if is_code else textwrap.wrap(paragraph, WIDTH - 6, break_long_words=True)
    return "/* " + "\n".join(f"   {line}".rstrip() for line in lines).lstrip() + " */"


def number(value: Any) -> str:
    """Returns the shortest literal of a float32 that a compiler reads as the same number."""
    text = str(np.float32(value))
    return text + "f" if "e" in text or "." in text else f"{text}.0f"


def literals(array: Any) -> Iterator[str]:
    """Returns the literals of an array of float32 or whole numbers, one at a time."""
    numbers = np.ascontiguousarray(array).reshape(-1)
    return map(number, numbers) if numbers.dtype == np.float32 else map(str, numbers.tolist())


def array(prefix: str, name: str, values: Any) -> str:
    """Returns the definition of an array, in the storage class of the file's macro."""
    lines, line = [], "    "
    for literal in literals(values):
        if len(line) + len(literal) >= WIDTH:
            lines.append(line)
            line = "    "
        line += f"{literal},"
    wrapped = "\n".join([*lines, line.rstrip(",")])
    storage = f"{prefix.upper()}_STORAGE {TYPES[str(values.dtype)][0]}"
    return f"{storage} {prefix}_{name}[{values.size}] = {{\n{wrapped}\n}};"


def functions_used(form: str, called: list[str]) -> dict[str, str]:
    """Returns the functions of a form that a network uses by name: each after those that it calls.

    Args:
        form: the file with all functions: "floating" or "integer".
        called: names such as "dense". Names that are not in the file are ignored. "dense_bytes" is "dense" for inputs
            that are bytes.
    """
    blocks = blocks_of(form)
    found: dict[str, str] = {}

    def add(name: str) -> None:
        base = name.removesuffix("_bytes")
        if base not in blocks or name in found:
            return
        block = blocks[base]
        for other in re.findall(r"\bname_(\w+)\(", block):
            if other != base:
                add(other)
        if name != base:
            block = block.replace(f"name_{base}(", f"name_{name}(").replace("const int16_t *x", "const uint8_t *x")
        found[name] = block

    for name in called:
        add(name)
    return found


def blocks_of(form: str) -> dict[str, str]:
    """Returns the functions of a form by name."""
    text = resources.files("fastnet.export.c").joinpath(f"{form}.h").read_text(encoding="utf-8")
    parts = re.split(r"/\* == name_(\w+) == \*/\n", text)
    return dict(zip(parts[1::2], (part.rstrip() + "\n" for part in parts[2::2]), strict=True))


def named(code: str, prefix: str) -> str:
    """Puts the network's name for `name` and `NAME`, and breaks lines that become too long."""
    names = {"name_": f"{prefix}_", "NAME_": f"{prefix.upper()}_"}
    code = re.sub(r"\b(?:name|NAME)_", lambda found: names[found[0]], code)
    return wrapped(re.sub(r"^static inline [^{;]*?\)$", _head, code, flags=re.MULTILINE))


def _head(found: re.Match[str]) -> str:
    """Wraps the head of a function: the parameters begin below each other."""
    line = " ".join(found[0].split())
    glued = line.replace(" ", "~").replace(",~", ", ")  # may only break after a comma
    return textwrap.fill(glued, WIDTH, subsequent_indent=" " * (line.index("(") + 1)).replace("~", " ")


def wrapped(code: str) -> str:
    """Breaks the lines of functions that are too long, at a blank."""
    lines = []
    for line in code.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        while len(line) > WIDTH and (start := line[:WIDTH].rfind(" ", len(indent))) > 0:
            lines.append(line[:start])
            line = indent + line[start + 1 :]
        lines.append(line)
    return "\n".join(lines)
