"""What hls.js gives up on the page repairs: a list that contradicts itself, rubbish for segments, no list at all."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from tests.appliance.web.conftest import CHANNEL
from tests.appliance.web.county import County
from tests.appliance.web.servers import web
from tests.browser.chromium import phone
from tests.browser.player import is_moving, start

FAULT_TIMEOUT_S = 25
BACK_TIMEOUT_S = 25
Mode = Literal["true", "contradicting", "rubbish", "away"]


class Between:
    """A line between the box and its viewer that can be made to lie."""

    def __init__(self, upstream: int) -> None:
        self.mode: Mode = "true"
        line = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{upstream}{self.path}", timeout=10) as answer:
                        status, kind, body = answer.status, answer.headers["Content-Type"], answer.read()
                except urllib.error.HTTPError as error:
                    status, kind, body = error.code, "text/plain", b""
                status, body = line.told(self.path, status, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)

    def told(self, path: str, status: int, body: bytes) -> tuple[int, bytes]:
        is_list = path.endswith(".m3u8")
        if self.mode == "contradicting" and is_list:
            # The same numbers stand for other segments.
            number = int(body.split(b"SEQUENCE:")[1].split(b"\n")[0])
            return status, body.replace(b"SEQUENCE:%d" % number, b"SEQUENCE:%d" % (number + 1))
        if self.mode == "rubbish" and path.endswith(".ts"):
            return status, bytes(range(256)) * 700
        return (503, b"") if self.mode == "away" and is_list else (status, body)


@contextmanager
def line_to(upstream: int) -> Iterator[Between]:
    line = Between(upstream)
    serving = threading.Thread(target=line.server.serve_forever, daemon=True)
    serving.start()
    try:
        yield line
    finally:
        line.server.shutdown()
        line.server.server_close()


def fatal_errors(driver: Chrome) -> list[str]:
    """What hls.js gave up on since it was last asked."""
    script = """
        const found = window.songshanPlayer.events.filter((each) => each.kind === "fatal").map((each) => each.detail);
        window.songshanPlayer.events.length = 0;
        return found;
    """
    return list(driver.execute_script(script))  # type: ignore[no-untyped-call]


def position_of(driver: Chrome) -> float:
    return float(driver.execute_script("return window.songshanPlayer.video.currentTime"))  # type: ignore[no-untyped-call]


def gives_up(seen: list[str], driver: Chrome) -> bool:
    seen += fatal_errors(driver)
    return bool(seen)


def is_elsewhere(before: float, driver: Chrome) -> bool:
    """Whether it plays, and has come further or begun anew."""
    return is_moving(driver) and abs(position_of(driver) - before) > 2


@pytest.mark.serial
def test_whatever_hls_js_gives_up_on_the_picture_comes_back_by_itself(tmp_path: Path) -> None:
    """Nobody must have to reload the page, whatever stood between them and the box for a while."""
    county = County(tmp_path / "box", channels=(CHANNEL,))
    county.go_on_air([county.package("small")])
    with web(county.home) as port, line_to(port) as line, phone() as driver:
        start(driver, f"http://127.0.0.1:{line.server.server_port}/live/{CHANNEL.id}")
        for mode, expected in (("contradicting", "level"), ("rubbish", "frag"), ("away", "level")):
            fatal_errors(driver)
            line.mode = mode  # type: ignore[assignment]
            seen: list[str] = []
            WebDriverWait(driver, FAULT_TIMEOUT_S, 0.3).until(partial(gives_up, seen))
            assert seen[0].startswith(expected), (mode, seen)
            line.mode = "true"
            WebDriverWait(driver, BACK_TIMEOUT_S, 0.3).until(partial(is_elsewhere, position_of(driver)))
    county.close()
