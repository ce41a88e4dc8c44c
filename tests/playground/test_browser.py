"""The page in a browser: three digits drawn by mouse are read, served and as a file, and nothing leaves the page.

Needs Chromium, its driver and Selenium. Pictures of the page are left where FASTNET_PICTURES says, if it is set.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastnet import layers
from fastnet.models import Sequential
from fastnet.playground import export_html
from fastnet.playground.page import page
from fastnet.playground.preprocess import look_at
from fastnet.playground.server import Server

Stroke = list[tuple[float, float]]

DIGITS: dict[int, list[Stroke]] = {
    0: [[(50, 15), (32, 28), (26, 55), (34, 80), (54, 87), (70, 72), (74, 45), (66, 22), (50, 15)]],
    2: [[(28, 30), (38, 17), (58, 15), (68, 28), (62, 45), (45, 65), (26, 85)], [(26, 85), (50, 83), (76, 84)]],
    7: [[(22, 18), (50, 16), (76, 15), (62, 45), (52, 70), (46, 90)]],
}
SIZES = {"wide": (1280, 900), "narrow": (360, 740)}


@pytest.fixture(scope="module")
def addresses(model: Sequential, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where the page is, served and as a file."""
    file = tmp_path_factory.mktemp("page") / "digits.html"
    export_html(model, file)
    with Server(page(model, about="Trained for a test.")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield {"served": server.address, "file": file.as_uri()}
        server.shutdown()
        thread.join()


@pytest.fixture(params=["served", "file"])
def address(request: pytest.FixtureRequest, addresses: dict[str, str]) -> str:
    return addresses[request.param]


def shares(browser: Any) -> list[float]:
    """The ten probabilities as they are shown, in percent; 99.95 for more than 99.9."""
    texts = browser.run("Array.from(document.querySelectorAll('.share'), e => e.textContent)")
    return [99.95 if text.startswith(">") else float(text.removesuffix("\u00a0%")) for text in texts]


def pixels(browser: Any, name: str, channel: int) -> NDArray[np.uint8]:
    """A channel of a canvas: 3 is the opacity, which on the sheet is the ink."""
    values = browser.driver.execute_script(
        "const canvas = document.getElementById(arguments[0]), {width, height} = canvas;"
        "const copy = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});"
        "copy.drawImage(canvas, 0, 0);"
        "return Array.from(copy.getImageData(0, 0, width, height).data).filter((_, i) => i % 4 === arguments[1]);",
        name,
        channel,
    )
    return np.array(values, np.uint8)


def test_three_digits_drawn_by_mouse_are_read(browser: Any, address: str, model: Sequential) -> None:
    browser.open(address)
    for digit, strokes in DIGITS.items():
        browser.driver.find_element("id", "clear").click()
        browser.draw(*strokes)
        assert browser.text("#verdict b") == str(digit)
        assert browser.text("li.best .label") == str(digit)
        assert int(np.argmax(shares(browser))) == digit
        assert abs(sum(shares(browser)) - 100) < 0.6
        # What it has seen and said, in numbers: the drawing goes through Python's twins of both.
        ink, seen = pixels(browser, "pad", 3), pixels(browser, "seen", 0)
        image = look_at(ink.reshape(560, 560))
        np.testing.assert_allclose(seen.reshape(28, 28), image, atol=1)  # rounded from one sum or another
        output = browser.run("Array.from(forward(network, a[0]).output)", seen.tolist())
        expected = model.predict(seen.reshape(1, 28, 28), verbose=0)[0]
        np.testing.assert_allclose(output, expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(np.array(shares(browser)) / 100, expected, atol=0.0006)
    assert browser.complaints() == []
    assert browser.requests() == [address]


def test_probabilities_come_while_the_pen_is_still_down(browser: Any, address: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    def go_to(x: int, y: int) -> None:
        ActionChains(browser.driver, duration=10).move_to_element_with_offset(pad, x, y).perform()
        browser.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    browser.open(address)
    pad = browser.driver.find_element("id", "pad")
    ActionChains(browser.driver, duration=10).move_to_element_with_offset(pad, -90, -120).click_and_hold().perform()
    go_to(90, -120)
    early = pixels(browser, "seen", 0)
    assert abs(sum(shares(browser)) - 100) < 0.6
    go_to(40, 0)
    go_to(0, 130)
    assert (pixels(browser, "seen", 0) != early).any()
    assert browser.text("#verdict b") == "7"
    assert browser.text("#spoken") == ""  # it is said when the pen is lifted
    ActionChains(browser.driver).release().perform()
    assert browser.text("#spoken").startswith("A 7, ")


def test_a_blank_sheet_asks_for_a_digit(browser: Any, address: str) -> None:
    browser.open(address)
    for _ in range(2):
        assert browser.text("#verdict span") == "Draw a digit from 0 to 9."
        assert browser.run("document.getElementById('invitation').checkVisibility()")
        assert set(browser.run("Array.from(document.querySelectorAll('.share'), e => e.textContent)")) == {"–"}
        assert browser.text("figcaption") == "Hidden layer 1: 0 of 512 fire"
        browser.draw(*DIGITS[7])
        assert not browser.run("document.getElementById('invitation').checkVisibility()")
        assert browser.text("figcaption") != "Hidden layer 1: 0 of 512 fire"
        browser.driver.find_element("id", "clear").click()
    assert browser.text("#spoken") == "Draw a digit from 0 to 9."


def test_a_dot_is_a_drawing_too(browser: Any, address: str) -> None:
    browser.open(address)
    browser.draw([(50, 50)])
    assert browser.text("#verdict b") != ""
    assert browser.complaints() == []


@pytest.mark.parametrize("kind", ["touch", "pen"])
def test_finger_and_pen_draw_and_do_not_scroll(browser: Any, address: str, kind: str) -> None:
    from selenium.webdriver.common.action_chains import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    browser.open(address, SIZES["narrow"])
    pad = browser.driver.find_element("id", "pad")
    actions = ActionBuilder(browser.driver, mouse=PointerInput(kind, f"a {kind}"), duration=20)
    half = pad.size["width"] / 2
    pointer = actions.pointer_action
    for i, (x, y) in enumerate(DIGITS[7][0]):
        pointer.move_to(pad, int((x / 50 - 1) * half), int((y / 50 - 1) * half))
        if i == 0:
            pointer.pointer_down()
    pointer.pointer_up()
    actions.perform()
    assert browser.text("#verdict b") == "7"
    assert browser.run("scrollY") == 0


def test_the_keyboard_reaches_the_button_and_clears(browser: Any, address: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    browser.open(address)
    browser.draw(*DIGITS[0])
    browser.run("document.activeElement.blur()")
    ActionChains(browser.driver).send_keys(Keys.TAB).perform()
    assert browser.run("document.activeElement.id") == "clear"
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for key in (Keys.ENTER, Keys.SPACE):
        browser.draw(*DIGITS[0])
        assert browser.text("#verdict b") == "0"
        browser.run("document.getElementById('clear').focus()")
        ActionChains(browser.driver).send_keys(key).perform()
        assert browser.text("#verdict span") == "Draw a digit from 0 to 9."


def test_everything_has_a_label_for_screen_readers(browser: Any, address: str) -> None:
    browser.open(address)
    browser.draw(*DIGITS[2])
    tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    parts = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node["ignored"] and node["role"]["value"] != "InlineTextBox"
    ]
    for role in ("image", "button", "region", "list", "heading", "RootWebArea"):
        names = [name for part, name in parts if part == role]
        assert names, role
        assert all(names), (role, names)
    named = [name for role, name in parts if role == "image"]
    assert "Sheet to draw a digit on, with mouse, pen or finger" in named
    assert "The image that the network sees: your digit, 28 by 28 pixels" in named
    assert any(name.startswith("Hidden layer 1: ") for name in named)
    assert ("list", "Probability of each digit") in parts
    assert sum(role == "listitem" for role, _ in parts) == 10
    spoken = browser.driver.find_element("id", "spoken")
    assert (spoken.get_attribute("role"), spoken.get_attribute("aria-live")) == ("status", "polite")
    assert browser.text("#spoken").startswith("A 2, with a probability of ")
    assert browser.run("document.documentElement.lang") == "en"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_looks_right_light_and_dark_wide_and_narrow(
    browser: Any, addresses: dict[str, str], size: str, scheme: str, tmp_path: Path
) -> None:
    browser.open(addresses["served"], SIZES[size], scheme)
    folder = Path(os.environ.get("FASTNET_PICTURES") or tmp_path)
    browser.draw(*DIGITS[2])
    # Nothing sticks out, no line of numbers is broken, and a phone shows the sheet whole.
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.run("Array.from(document.querySelectorAll('li')).every(e => e.offsetHeight < 40)")
    assert browser.run("document.getElementById('pad').clientHeight < innerHeight")
    assert browser.run(
        "Array.from(document.querySelectorAll('main *')).every(e => e.getBoundingClientRect().right <= innerWidth)"
    )
    columns = browser.run("getComputedStyle(document.querySelector('main')).gridTemplateColumns.split(' ').length")
    assert columns == {"wide": 3, "narrow": 1}[size]
    page_color, text_color = (
        browser.run("getComputedStyle(document.body)[a[0]].match(/\\d+/g).map(Number)", name)
        for name in ("backgroundColor", "color")
    )
    assert (sum(page_color) > sum(text_color)) == (scheme == "light")
    assert abs(sum(page_color) - sum(text_color)) > 500
    browser.save_picture(folder / f"playground-{size}-{scheme}.png")
    assert (folder / f"playground-{size}-{scheme}.png").stat().st_size > 10000


OTHERS: dict[str, Callable[[], list[Any]]] = {
    "no hidden layer": lambda: [layers.Dense(10, "softmax", bias_initializer="ones")],
    "below zero": lambda: [layers.Dense(2000, "tanh"), layers.Dense(3), layers.Dense(10, bias_initializer="ones")],
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_networks_have_their_page(browser: Any, kind: str, tmp_path: Path) -> None:
    export_html(Sequential([layers.Input((784,)), *OTHERS[kind]()]), tmp_path / "other.html", title="Ours <&>")
    browser.open((tmp_path / "other.html").as_uri())
    browser.draw(*DIGITS[7])
    assert browser.text("h1") == "Ours <&>"
    assert 99 < sum(shares(browser)) < 101
    assert browser.run("document.querySelectorAll('figure').length") == {"no hidden layer": 0, "below zero": 2}[kind]
    assert ("no hidden layer" in browser.text("#hidden-note")) == (kind == "no hidden layer")
    assert ("below zero" in browser.driver.find_element("id", "hidden-note").text) == (kind == "below zero")
    browser.driver.set_window_size(700, 600)
    assert browser.complaints() == []


def test_the_policy_forbids_what_the_page_does_not_need(browser: Any, address: str) -> None:
    browser.open(address)
    outcome = browser.driver.execute_async_script(
        "fetch('http://127.0.0.1:9/').then(() => arguments[0]('sent'), e => arguments[0](e.message))"
    )
    assert outcome != "sent"
    assert any("Content Security Policy" in text for text in browser.complaints())
