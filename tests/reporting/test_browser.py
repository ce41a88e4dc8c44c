"""The report in a browser: nothing is asked for, nothing complained of, nothing sticks out, everything has a label.

Needs Chromium, its driver and Selenium. Pictures of the page are left where FASTNET_PICTURES says, if it is set.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reporting.conftest import Case

from fastnet import Sequential
from fastnet.layers import BatchNormalization, Dense
from fastnet.reporting import report

SIZES = {"wide": (1280, 900), "narrow": (360, 740)}


def _many() -> Case:
    """More classes than a table can show, with long names."""
    x = np.random.default_rng(0).normal(size=(400, 6))
    y = np.arange(400) % 40
    model = Sequential([Dense(40, "softmax")]).compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
    return Case(model, model.fit(x, y, verbose=0), x, y)


def _named() -> Case:
    """Many features, and layers with long names."""
    x = np.random.default_rng(0).normal(size=(400, 12))
    y = np.arange(400) % 3
    model = Sequential([Dense(4, name="a_long_name_of_a_hidden_layer"), BatchNormalization(), Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
    return Case(model, model.fit(x, y, verbose=0, validation_split=0.5), x, y)


@pytest.fixture(scope="module")
def pages(digits: Case, regression: Case, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    return {
        "digits": report(*digits, folder / "digits.html", title="Digits", seed=3, batch_size=64),
        "regression": report(*regression, folder / "regression.html"),
        "many": report(*_many(), folder / "many.html", class_names=["W" * 50 + str(k) for k in range(40)]),
        "names": report(*_named(), folder / "names.html", class_names=["Ankle boot or another", "T-shirt/top", "Bag"]),
        "nothing": report(digits.model, path=folder / "nothing.html"),
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["digits", "regression", "many", "nothing"])
def test_it_stands_alone_and_nothing_sticks_out(
    browser: Any, pages: dict[str, Path], kind: str, size: str, scheme: str, tmp_path: Path
) -> None:
    address = pages[kind].as_uri()
    browser.open(address, SIZES[size], scheme)
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [address]
    browser.run("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    # What is wider than the screen scrolls in a box of its own.
    outside = browser.run(
        "Array.from(document.querySelectorAll('body *')).filter(e => !e.closest('.scroll, pre, svg') && "
        "e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML.slice(0, 80))"
    )
    assert outside == []
    page_color, text_color = (
        browser.run("getComputedStyle(document.body)[a[0]].match(/\\d+/g).map(Number)", name)
        for name in ("backgroundColor", "color")
    )
    assert (sum(page_color) > sum(text_color)) == (scheme == "light")
    assert abs(sum(page_color) - sum(text_color)) > 500
    browser.run("document.querySelectorAll('details').forEach(e => e.open = false)")
    folder = Path(os.environ.get("FASTNET_PICTURES") or tmp_path)
    browser.save_picture(folder / f"report-{kind}-{size}-{scheme}.png")


@pytest.mark.parametrize("kind", ["digits", "regression", "many", "names", "nothing"])
def test_on_a_phone_no_table_is_cut(browser: Any, pages: dict[str, Path], kind: str) -> None:
    browser.open(pages[kind].as_uri(), SIZES["narrow"])
    browser.run("document.querySelectorAll('details').forEach(e => e.open = true)")
    boxes = "Array.from(document.querySelectorAll('.scroll'))"
    assert browser.run(f"{boxes}.length") > 0
    cut = browser.run(f"{boxes}.filter(e => e.scrollWidth > e.clientWidth).map(e => e.getAttribute('aria-label'))")
    assert cut == []
    said = browser.run("getComputedStyle(document.querySelector('#model td:nth-child(3)'), '::before').content")
    assert said == '"output shape"'


def test_the_policy_forbids_what_the_page_does_not_need(browser: Any, pages: dict[str, Path]) -> None:
    browser.open(pages["digits"].as_uri())
    outcome = browser.driver.execute_async_script(
        "fetch('http://127.0.0.1:9/').then(() => arguments[0]('sent'), e => arguments[0](e.message))"
    )
    assert outcome != "sent"
    assert any("Content Security Policy" in text for text in browser.complaints())


@pytest.mark.parametrize("kind", ["digits", "regression", "many"])
def test_everything_has_a_label_for_screen_readers(browser: Any, pages: dict[str, Path], kind: str) -> None:
    browser.open(pages[kind].as_uri())
    tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    parts = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node.get("ignored")]
    for role in ("image", "region", "heading", "navigation", "RootWebArea"):
        names = [name for part, name in parts if part == role]
        assert names or role == "image", role
        assert all(names), (role, names)
    levels = browser.run("Array.from(document.querySelectorAll('h1, h2, h3'), e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert browser.run("Array.from(document.images).every(e => e.complete && e.naturalWidth > 0)")
    assert browser.run("document.documentElement.lang") == "en"
    # A chart's numbers are also in a table of its section.
    assert browser.run(
        "Array.from(document.querySelectorAll('svg')).every(e => e.closest('section').querySelector('details table'))"
    )


def test_contents_lead_to_the_sections(browser: Any, pages: dict[str, Path]) -> None:
    browser.open(pages["digits"].as_uri(), SIZES["narrow"])
    for link in browser.driver.find_elements("css selector", "#contents a"):
        browser.run("a[0].click()", link)
        browser.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        title = browser.run("document.querySelector(':target h2').textContent")
        assert title == browser.run("a[0].textContent", link)


BLUE = {"light": "rgb(53, 102, 201)", "dark": "rgb(134, 172, 255)"}


@pytest.mark.parametrize("scheme", BLUE)
def test_charts_and_digits_follow_the_scheme(browser: Any, pages: dict[str, Path], scheme: str) -> None:
    browser.open(pages["digits"].as_uri(), SIZES["wide"], scheme)
    assert browser.run("getComputedStyle(document.querySelector('.line.s1')).stroke") == BLUE[scheme]
    assert browser.run("getComputedStyle(document.querySelector('.line.s2')).strokeDasharray") != "none"
    inverted = browser.run("getComputedStyle(document.querySelector('#data img')).filter")
    assert inverted == {"light": "none", "dark": "invert(1)"}[scheme]
    assert browser.run("getComputedStyle(document.querySelector('#data img')).imageRendering") == "pixelated"


def test_print_is_light_and_whole(browser: Any, pages: dict[str, Path]) -> None:
    browser.open(pages["digits"].as_uri(), SIZES["wide"], "dark")
    browser.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    try:
        assert browser.run("getComputedStyle(document.querySelector('.line.s1')).stroke") == BLUE["light"]
        assert browser.run("getComputedStyle(document.querySelector('#data img')).filter") == "none"
        assert browser.run("getComputedStyle(document.querySelector('pre')).overflow") == "visible"
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
