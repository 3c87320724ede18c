"""A browser of a test's own: headless Chromium with an empty profile that asks nobody but the server under test."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--disable-dev-shm-usage"),
)
_PATIENCE_S = 10.0
_SHOWN = """
const main = document.getElementById("main");
return Boolean(main && main.querySelector("h1") && !main.hasAttribute("aria-busy"));
"""


def programs() -> tuple[str, str]:
    """Chromium and its driver. Skips the test where one is not on the PATH."""
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing = "Chromium" if browser is None else "chromedriver"
        pytest.skip(f"there is no {missing} on the PATH (Debian: chromium, chromium-driver)")
    return browser, driver


class Browser:
    """A window on a server's page."""

    def __init__(self, driver: webdriver.Chrome, base: str) -> None:
        self.driver = driver
        self.base = base

    def open(self, address: str = "") -> None:
        """Loads the page anew at an address below `#/`, and waits until it shows its view."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.base}/#/{address}")
        self.settled()

    def settled(self) -> None:
        """Waits until a view is shown."""
        self.until(lambda: bool(self.driver.execute_script(_SHOWN)), "a view")

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Waits for a condition, and gives what it gave."""
        end = time.monotonic() + _PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < end, f"waited for {what}; the page says:\n{self.text}"
            time.sleep(0.02)
        return found

    def sees(self, text: str) -> None:
        """Waits until a text stands on the page."""
        self.until(lambda: text in self.text, repr(text))

    @property
    def text(self) -> str:
        """All that is to be read on the page, dialogs included."""
        return str(self.driver.execute_script("return document.body ? document.body.innerText : ''"))

    def find(self, css: str, text: str = "") -> WebElement:
        """The first element of a selector whose text holds `text`, as soon as there is one that is shown."""
        found: WebElement = self.until(lambda: self._shown(css, text), f"{css} with {text!r}")
        return found

    def _shown(self, css: str, text: str) -> WebElement | None:
        script = """
            return [...document.querySelectorAll(arguments[0])].find((one) =>
                one.checkVisibility() && one.textContent.includes(arguments[1])) ?? null;
        """
        found: WebElement | None = self.driver.execute_script(script, css, text)
        return found

    def click(self, css: str, text: str = "") -> None:
        """Clicks what `find` finds."""
        self.find(css, text).click()

    def press(self, *keys: str) -> None:
        """Types keys wherever the focus is."""
        for key in keys:
            ActionChains(self.driver, duration=0).send_keys(key).perform()

    def focused(self) -> str:
        """The text of what has the focus."""
        return str(self.driver.execute_script("return document.activeElement.textContent"))

    def emulate(self, width: int, height: int, scheme: str = "light") -> None:
        """Gives the window a size in CSS pixels and a colour scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def complaints(self) -> list[str]:
        """What the browser complained of since it was asked last: refused by the policy, failed, thrown."""
        return [str(one["message"]) for one in self.driver.get_log("browser")]

    def picture(self, name: str) -> None:
        """Keeps a picture of the window in the folder that MNEMOLOG_PICTURES names, if it names one."""
        folder = os.environ.get("MNEMOLOG_PICTURES")
        if folder:
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))

    def fetched(self) -> list[str]:
        """The addresses of all that the page has loaded."""
        script = "return JSON.stringify(performance.getEntriesByType('resource').map((one) => one.name))"
        found: list[str] = json.loads(self.driver.execute_script(script))
        return found


@contextmanager
def browser_at(base: str) -> Iterator[Browser]:
    """A browser for the page of a server, closed at the end of the block."""
    program, driver_program = programs()
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in _OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_program))
    try:
        yield Browser(driver, base)
    finally:
        driver.quit()


__all__ = ["Browser", "Keys", "browser_at", "programs"]
