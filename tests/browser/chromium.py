"""Headless Chromium as a reader's phone: what it shows, what it asks of whom, what it complains of."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

DRIVER = "/usr/bin/chromedriver"
PAGE_TIMEOUT_S = 30
PHONE = (390, 844)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
)


@contextmanager
def phone(language: str = "zh-CN", *, dark: bool = False, size: tuple[int, int] = PHONE) -> Iterator[Chrome]:
    """A browser of its own, with a phone's screen and nothing remembered."""
    with tempfile.TemporaryDirectory(prefix="songshan-browser-", ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        width, height = size
        arguments = (*FLAGS, f"--user-data-dir={profile}", f"--lang={language}", f"--accept-lang={language}")
        for argument in (*arguments, f"--window-size={width},{height}", *(["--force-dark-mode"] if dark else [])):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        driver = Chrome(options=options, service=Service(DRIVER))
        try:
            driver.set_page_load_timeout(PAGE_TIMEOUT_S)
            driver.set_script_timeout(PAGE_TIMEOUT_S)
            screen = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            if dark:
                scheme = [{"name": "prefers-color-scheme", "value": "dark"}]
                driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
            yield driver
        finally:
            driver.quit()


def asked_hosts(driver: Chrome) -> set[str]:
    """Every host, with its port, that the pages shown so far asked anything of. Forgotten when told."""
    hosts = set()
    for entry in driver.get_log("performance"):  # type: ignore[no-untyped-call]
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            address = urlsplit(message["params"]["request"]["url"])
            if address.scheme in ("http", "https", "ws", "wss"):
                hosts.add(address.netloc)
    return hosts


def complaints(driver: Chrome) -> tuple[str, ...]:
    """What the browser holds against the pages: errors, and all that the content policy stopped."""
    entries = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return tuple(entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING"))


def width_of(driver: Chrome) -> int:
    """How wide the page is; wider than the screen, and it can be pushed about."""
    return int(driver.execute_script("return document.documentElement.scrollWidth"))  # type: ignore[no-untyped-call]
