"""The channel's own page, watched: hls.js in Chromium, as a citizen has it on the phone."""

import time
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import complaints, phone
from tests.story.players import START_TIMEOUT_S, STILL_S, Watched

SAMPLE_MS = 100
_SAMPLER = """
const player = window.songshanPlayer, video = player.video;
window.samples = [];
player.events.length = 0;
const quality = video.getVideoPlaybackQuality?.() ?? { droppedVideoFrames: 0, totalVideoFrames: 0 };
window.before = { dropped: quality.droppedVideoFrames, total: quality.totalVideoFrames };
window.sampler = setInterval(() => window.samples.push([performance.now(), video.currentTime]), arguments[0]);
"""
_RESULT = """
clearInterval(window.sampler);
const video = window.songshanPlayer.video;
const quality = video.getVideoPlaybackQuality?.() ?? { droppedVideoFrames: 0, totalVideoFrames: 0 };
return {
  samples: window.samples,
  events: window.songshanPlayer.events,
  dropped: quality.droppedVideoFrames - window.before.dropped,
  frames: quality.totalVideoFrames - window.before.total,
};
"""


def watch_hls_js(url: str, seconds: float) -> Watched:
    """Open the page of the channel whose playlist `url` is, and watch it from its first picture on."""
    with phone() as driver:
        start(driver, url.removesuffix("/index.m3u8"))
        return watch(driver, seconds)


def start(driver: Chrome, page: str) -> None:
    """Open a channel's page and wait until its picture moves."""
    driver.get(page)
    WebDriverWait(driver, START_TIMEOUT_S, poll_frequency=0.1).until(is_moving)
    complaints(driver)


def is_moving(driver: Chrome) -> bool:
    """Whether the video plays and has shown pictures."""
    script = (
        "const v = window.songshanPlayer && window.songshanPlayer.video; return !!v && !v.paused && v.currentTime > 0.5"
    )
    return bool(driver.execute_script(script))  # type: ignore[no-untyped-call]


def watch(driver: Chrome, seconds: float) -> Watched:
    """Watch a moving picture for so long."""
    driver.execute_script(_SAMPLER, SAMPLE_MS)  # type: ignore[no-untyped-call]
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
    seen: dict[str, Any] = driver.execute_script(_RESULT)  # type: ignore[no-untyped-call]
    samples = seen["samples"]
    said = tuple(f"{event['kind']}: {event['detail']}" for event in seen["events"])
    played_s = samples[-1][1] - samples[0][1]
    return Watched("hls.js", played_s, frozen_s(samples), int(seen["dropped"]), (*said, *complaints(driver)))


def frozen_s(samples: list[list[float]]) -> float:
    """How long, all in all, the position stood still for longer than a viewer overlooks."""
    still_since, last_position, total_ms = samples[0][0], samples[0][1], 0.0
    for at_ms, position in samples[1:]:
        if position != last_position:
            stood_ms = at_ms - still_since
            total_ms += stood_ms if stood_ms > STILL_S * 1000 else 0.0
            still_since, last_position = at_ms, position
    return total_ms / 1000
