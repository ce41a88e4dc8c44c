"""A page taken apart, so that tests can ask for its tables, images and texts as a reader sees them."""

from __future__ import annotations

import base64
import struct
import zlib
from html.parser import HTMLParser

import numpy as np

VOID = {"meta", "link", "img", "br"}


class Element:
    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag, self.attributes, self.children = tag, attributes, list[Element | str]()

    @property
    def text(self) -> str:
        whole = "".join(child if isinstance(child, str) else child.text for child in self.children)
        return whole.replace("\xa0", " ")

    def all(self, tag: str, class_: str | None = None) -> list[Element]:
        found = []
        for child in self.children:
            if isinstance(child, Element):
                classes = (child.attributes.get("class") or "").split()
                if child.tag == tag and (class_ is None or class_ in classes):
                    found.append(child)
                found += child.all(tag, class_)
        return found

    def section(self, anchor: str) -> Element:
        return next(s for s in self.all("section") if s.attributes["id"] == anchor)

    def table(self, i: int = 0) -> list[list[str]]:
        """The cells of a table's body."""
        rows = self.all("table")[i].all("tbody")[0].all("tr")
        return [[c.text for c in row.children if isinstance(c, Element)] for row in rows]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(text: str) -> Element:
    """The page as a tree; each element must be closed."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert len(parser.open) == 1
    return parser.open[0]


def decode(uri: str) -> tuple[np.ndarray, bytes, bytes]:
    """The pixels of a PNG of one byte each in a data URI, its palette and its opacities; checksums must be right."""
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    rest = base64.b64decode(data, validate=True)
    assert rest[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, rest = dict[bytes, bytes](), rest[8:]
    while rest:
        (length,) = struct.unpack(">I", rest[:4])
        name, body, rest = rest[4:8], rest[8 : 8 + length], rest[8 + length :]
        assert struct.unpack(">I", rest[:4])[0] == zlib.crc32(name + body)
        chunks[name], rest = body, rest[4:]
    width, height, depth = struct.unpack(">IIB", chunks[b"IHDR"][:9])
    assert depth == 8
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:], chunks.get(b"PLTE", b""), chunks.get(b"tRNS", b"")
