"""What the playground's tests share: a trained network, and a browser without a window, driven by Selenium."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import datasets
from fastnet.models import Sequential
from fastnet.playground import __main__ as program

WIDE, NARROW = (1280, 900), (360, 740)


@pytest.fixture(scope="session")
def model() -> Sequential:
    """The playground's own network; of real digits if they are here."""
    folder = os.environ.get("FASTNET_DATA")
    (x, y), _ = datasets.mnist.load_data(folder) if folder else datasets.synthetic.load_data()
    return program.trained(x, y)


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """Two hundred images of digits, uint8."""
    return datasets.synthetic.load_data()[1][0][:200]


class Browser:
    """A page in headless Chromium: what it shows, what it says, what it asks for."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, address: str, size: tuple[int, int] = WIDE, scheme: str = "light") -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
        )
        for log in ("browser", "performance"):
            self.driver.get_log(log)  # of the page before
        self.driver.get(address)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a JavaScript expression, in which `a` is the list of arguments."""
        return self.driver.execute_script(f"const a = arguments; return {script};", *arguments)

    def text(self, selector: str) -> str:
        return str(self.run("document.querySelector(a[0]).textContent", selector))

    def draw(self, *strokes: list[tuple[float, float]]) -> None:
        """Strokes with the mouse; points in hundredths of the sheet, from its upper left corner."""
        from selenium.webdriver.common.action_chains import ActionChains

        pad = self.driver.find_element("id", "pad")
        self.run("a[0].scrollIntoView({block: 'center'})", pad)
        width, height = pad.size["width"], pad.size["height"]
        for stroke in strokes:
            chain = ActionChains(self.driver, duration=10)
            for i, (x, y) in enumerate(stroke):
                chain.move_to_element_with_offset(pad, (x / 100 - 0.5) * width, (y / 100 - 0.5) * height)
                if i == 0:
                    chain.click_and_hold()
            chain.release().perform()

    def complaints(self) -> list[str]:
        """What stands in the console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses that the page asked for, also those that its policy forbade."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def save_picture(self, file: Path) -> None:
        """The whole page as PNG."""
        height = self.run("document.documentElement.scrollHeight")
        width = self.run("innerWidth")
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        self.driver.save_screenshot(str(file))


@pytest.fixture(scope="session")
def _driver() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs Selenium: python -m pip install selenium")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)  # no sandbox: root has none
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(chromedriver))
    driver.set_page_load_timeout(30)
    yield driver
    driver.quit()


@pytest.fixture
def browser(_driver: Any) -> Browser:
    return Browser(_driver)
