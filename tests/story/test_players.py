"""The channel as viewers' players have it: mpv, VLC and hls.js at once, over at least ten changes of clip."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.core.ts import FRAMES_PER_S
from provisioning.demo import clips, publishing
from provisioning.demo.stage import Site, Stage
from tests.browser.player import watch_hls_js
from tests.ports import free_ports
from tests.story.players import Watched, watch_mpv, watch_vlc
from tests.story.test_story import SHARED_MEDIA

CHANGES = 10
WATCH_S = 100.0
LOST_SHARE = 0.01
"""Three players decode in software beside each other and beside the box: a frame may come too late to be drawn."""
PLAYERS: tuple[Callable[[str, float], Watched], ...] = (watch_mpv, watch_vlc, watch_hls_js)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One county on the air with the three real clips, or with the demo's own where those are not there."""
    folder = tmp_path_factory.mktemp("county")
    web, hub = free_ports(2)
    site = Site("dengfeng", "登封市融媒体中心", folder / "dengfeng", web)
    stage = Stage(folder, hub, (site,))
    try:
        given = (
            clips.given_clips(SHARED_MEDIA)
            if SHARED_MEDIA.is_dir()
            else clips.own_clips(folder / "clips", lambda _said: None)
        )
        stage.build()
        published = publishing.publish_all(stage, given)
        stage.start_agent(site)
        stage.start_web(site)
        publishing.await_on_air(stage, published)
        yield site
    finally:
        stage.stop()


@pytest.mark.serial
@pytest.mark.timeout(300)
def test_players_cross_ten_changes_of_clip_without_error_or_freeze(site: Site) -> None:
    """A viewer must not notice where one clip ends and the next begins."""
    url = f"{site.address}/live/{site.channel}/index.m3u8"
    crossed = _Changes(site)
    with ThreadPoolExecutor(len(PLAYERS) + 1) as watching:
        counting = watching.submit(crossed.count)
        watched = [future.result() for future in [watching.submit(player, url, WATCH_S) for player in PLAYERS]]
        crossed.enough.set()
        changes = counting.result()
    assert changes >= CHANGES
    for seen in watched:
        assert seen.complaints == (), seen
        assert seen.frozen_s == 0, seen
        assert seen.lost_frames <= LOST_SHARE * WATCH_S * FRAMES_PER_S, seen
        assert seen.played_s == pytest.approx(WATCH_S, abs=2), seen


class _Changes:
    """Counts changes of clip in the list while players watch."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.enough = threading.Event()

    def count(self) -> int:
        seen: set[str] = set()
        renditions: list[str] = []
        while not self.enough.wait(1):
            for segment in publishing.live_segments(self.site):
                rendition = Path(segment).parent.name
                if segment not in seen and (not renditions or renditions[-1] != rendition):
                    renditions.append(rendition)
                seen.add(segment)
        return len(renditions) - 1
