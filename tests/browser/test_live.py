"""The channel in a real browser: across changes of clip, and across a restart of the web server."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.appliance.core.hls_lint import parse
from tests.appliance.web.conftest import CHANNEL
from tests.appliance.web.county import County
from tests.appliance.web.servers import web
from tests.appliance.web.test_live import fetched
from tests.browser.chromium import asked_hosts, phone
from tests.browser.player import frozen_s, is_moving, start, watch

WATCHED_S = 24.0


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    made = County(tmp_path_factory.mktemp("live") / "box", channels=(CHANNEL,))
    made.go_on_air([made.package("long"), made.package("small"), made.package("odd")])
    yield made
    made.close()


@pytest.mark.serial
def test_the_picture_moves_on_across_changes_of_clip(county: County) -> None:
    """A citizen must not notice where one clip ends: no error, no freeze, nothing asked of another host."""
    with web(county.home) as port, phone() as driver:
        start(driver, f"http://127.0.0.1:{port}/live/{CHANNEL.id}")
        seen = watch(driver, WATCHED_S)
        hosts = asked_hosts(driver)
        playlist = fetched(port, f"/live/{CHANNEL.id}/dvr.m3u8").decode()
    renditions = [each.uri.split("/")[2] for each in parse(playlist)][-14:]
    changes = sum(one != other for one, other in pairwise(renditions))
    assert changes >= 3
    assert seen.complaints == ()
    assert seen.frozen_s == 0
    assert seen.played_s == pytest.approx(WATCHED_S, abs=1.5)
    assert hosts == {f"127.0.0.1:{port}"}


@pytest.mark.serial
def test_after_the_web_server_was_killed_the_picture_comes_back_by_itself(county: County) -> None:
    """Twelve seconds without it exhaust every buffer; nobody must have to reload the page."""
    with phone() as driver:
        with web(county.home) as port:
            start(driver, f"http://127.0.0.1:{port}/live/{CHANNEL.id}")
            master = next(
                each for each in psutil.Process().children(recursive=True) if f":{port}" in str(each.cmdline())
            )
            family = [master, *master.children()]
            for process in family:
                process.kill()
            psutil.wait_procs(family, timeout=10)
        time.sleep(12)
        with web(county.home, port):
            position = "return window.songshanPlayer.video.currentTime"
            before = float(driver.execute_script(position))
            WebDriverWait(driver, 30, poll_frequency=0.2).until(
                lambda each: is_moving(each) and each.execute_script(position) > before + 3
            )


@pytest.mark.serial
def test_what_has_been_on_can_be_watched_again_and_left_again(county: County, tmp_path: Path) -> None:
    """Time shift from the guide, and back to live by one touch."""
    with web(county.home) as port, phone() as driver:
        start(driver, f"http://127.0.0.1:{port}/live/{CHANNEL.id}")
        begin_ms = int(time.time() * 1000) - 60_000
        driver.execute_script("window.songshanPlayer.shift(arguments[0])", begin_ms)
        playing = "const p = window.songshanPlayer; return p.hls().playingDate && p.hls().playingDate.getTime()"
        WebDriverWait(driver, 20, poll_frequency=0.2).until(
            lambda each: is_moving(each) and abs((each.execute_script(playing) or 0) - begin_ms) < 8000
        )
        back = driver.find_element(By.CSS_SELECTOR, "[data-back]")
        assert back.is_displayed()
        back.click()
        WebDriverWait(driver, 20, poll_frequency=0.2).until(
            lambda each: is_moving(each) and (each.execute_script(playing) or 0) > begin_ms + 40_000
        )


def test_a_freeze_is_seen_as_one() -> None:
    """The probe itself: standing still for two seconds is two seconds, a late sample is nothing."""
    moving = [[at * 100.0, at / 10] for at in range(20)]
    frozen = [[2000.0 + at * 100, 1.9] for at in range(20)] + [[4000.0, 2.0]]
    assert frozen_s(moving) == 0
    assert frozen_s(moving + frozen) == pytest.approx(2.1, abs=0.11)
