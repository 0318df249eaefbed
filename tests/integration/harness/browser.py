"""A real browser without a window: Debian's Chromium, by its driver."""

import pathlib
import tempfile
from typing import List

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.by import By

_OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en-US"]


class Browser:
    """One window. A context manager: at its end the browser is gone."""

    def __init__(self, width: int = 1280, height: int = 900, *more_options: str) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="care360-chromium-", ignore_cleanup_errors=True)
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for option in [*_OPTIONS, f"--user-data-dir={self._profile.name}", f"--window-size={width},{height}", *more_options]:
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Driver("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(60)
        self.driver.set_script_timeout(60)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_) -> None:
        self.driver.quit()
        self._profile.cleanup()

    def open(self, url: str) -> None:
        self.driver.get(url)

    def text(self, selector: str) -> str:
        """What a person reads there; "" while it is not to be seen."""
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def texts(self, selector: str) -> List[str]:
        """The same of each there, all at once: a page may make its rows anew at any time."""
        return self.ask("[...document.querySelectorAll(arguments[0])].map((element) => element.innerText)", selector)

    def ask(self, script: str, *arguments: object):
        """The value of a JavaScript expression."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def console(self) -> List[str]:
        """What the console has shown since it was last asked: errors, warnings, refused contents."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def look(self, width: int, height: int, dark: bool, scale: float = 1) -> None:
        """A window of that size, in that scheme."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def screenshot(self, path: pathlib.Path) -> None:
        self.driver.save_screenshot(str(path))
