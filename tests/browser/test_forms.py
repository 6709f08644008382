"""Radio, fragmented MP4 and what is seen again, in a real browser."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from appliance.store import air
from tests.appliance.web.conftest import CHANNEL
from tests.appliance.web.county import County, now_us
from tests.appliance.web.servers import web
from tests.appliance.web.test_catchup import RADIO, client_of, entries, guide
from tests.browser.chromium import phone
from tests.browser.player import is_moving, start, watch

WATCHED_S = 5.0
"""More than the clip that follows itself."""


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    """A television channel whose news is over, and a radio channel."""
    made = County(tmp_path_factory.mktemp("forms") / "box", channels=(CHANNEL, RADIO))
    long, small = made.package("long"), made.package("small")
    made.go_on_air([small], made.schedule(*entries(long.digest, small.digest)))

    def begin(db: Any) -> None:
        moment = now_us() - 120_000_000
        air.ensure_channel(db, RADIO.id, made.config.zone, moment)
        air.set_fillers(db, RADIO.id, [small.digest])
        air.recompile(db, RADIO.id, moment, 1)

    made.write(begin)
    yield made
    made.close()


def await_moving(driver: Chrome) -> None:
    """Until what was asked for last plays."""
    driver.execute_script("window.songshanPlayer.video.currentTime")  # type: ignore[no-untyped-call]
    WebDriverWait(driver, 30, poll_frequency=0.1).until(is_moving)


@pytest.mark.serial
def test_radio_and_fragmented_mp4_play_over_changes_and_the_news_is_seen_again_to_its_end(county: County) -> None:
    """Each by the page's own player, without an error or a freeze."""
    news = guide(client_of(county))["早间新闻"]["catchup"]
    with web(county.home) as port, phone() as driver:
        start(driver, f"http://127.0.0.1:{port}/live/{RADIO.id}")
        assert driver.find_elements(By.CSS_SELECTOR, ".stage audio")
        heard = watch(driver, WATCHED_S)
        start(driver, f"http://127.0.0.1:{port}/live/{CHANNEL.id}")
        driver.execute_script("window.songshanPlayer.seeAgain(arguments[0])", f"/live/{CHANNEL.id}/cmaf.m3u8")
        time.sleep(0.5)
        await_moving(driver)
        seen = watch(driver, WATCHED_S)
        button = driver.find_element(By.CSS_SELECTOR, f'[data-catchup="{news}"]')
        driver.execute_script("arguments[0].click()", button)
        over = "const v = window.songshanPlayer.video; v.playbackRate = 4; return v.ended && v.duration < 13"
        WebDriverWait(driver, 40, 0.2).until(lambda each: each.execute_script(over))
    for each in (heard, seen):
        assert each.complaints == ()
        assert each.frozen_s == 0
        assert each.played_s == pytest.approx(WATCHED_S, abs=1.5)
