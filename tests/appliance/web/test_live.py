"""The channel over HTTP: lists that obey the protocol, segments that are theirs and nothing else's."""

import gzip
import itertools
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from appliance import files
from appliance.core import playlist, ts
from appliance.core.asset import Asset, hex_of
from appliance.core.ledger import Stretch, segments_of
from appliance.core.moment import US
from appliance.core.rundown import SLATE, tick_of
from appliance.serving import is_served
from appliance.store import air
from appliance.web.app import create_app
from appliance.web.segments import FETCHABLE_TICKS, asked_for, holds, starts
from tests.appliance.core.hls_lint import HlsLint, parse
from tests.appliance.web.conftest import CHANNEL
from tests.appliance.web.county import County, now_us
from tests.appliance.web.servers import nginx_before, web
from tests.provisioning.live import until

LIVE = f"/live/{CHANNEL.id}"
POLLED_S = 9
SMALL = "small"
LONG = "long"
FORMS = (playlist.TS, playlist.AUDIO, playlist.cmaf("init.mp4"))


@pytest.fixture(scope="module")
def on_air(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    """A channel on the air with two short clips in turn."""
    county = County(tmp_path_factory.mktemp("air") / "box", channels=(CHANNEL,))
    county.go_on_air([county.package(LONG), county.package(SMALL)])
    yield county
    county.close()


@pytest.fixture(scope="module")
def viewer(on_air: County) -> FlaskClient:
    return create_app(on_air.config).test_client()


def listed(client: FlaskClient, name: str = "index") -> list[str]:
    answer = client.get(f"{LIVE}/{name}.m3u8")
    assert answer.status_code == 200, answer.text
    return [line for line in answer.text.splitlines() if not line.startswith("#")]


def segment(client: FlaskClient, address: str) -> bytes:
    answer = client.get(f"{LIVE}/{address}")
    assert answer.status_code == 200, address
    return answer.data


def test_the_list_obeys_the_protocol_poll_after_poll(viewer: FlaskClient) -> None:
    """One broken rule, once an hour, is a frozen screen once an hour."""
    lint, began = HlsLint(), time.monotonic()
    while time.monotonic() - began < POLLED_S:
        lint.look(viewer.get(f"{LIVE}/index.m3u8").text, now_us())
        time.sleep(0.05)
    assert lint.polls > 50


def test_the_long_list_reaches_back_to_the_beginning_and_ends_like_the_short_one(viewer: FlaskClient) -> None:
    """Time shift begins where the live list ends; the same segments have the same numbers and addresses in both."""
    deadline = time.monotonic() + 10
    while True:
        short, long = (parse(viewer.get(f"{LIVE}/{name}.m3u8").text) for name in ("index", "dvr"))
        if short[-1] == long[-1] or time.monotonic() > deadline:
            break
    assert long[-len(short) :] == short
    assert long[-1].end_us - long[0].start_us >= 58 * US


def test_every_listed_segment_is_there_and_is_where_its_time_says(viewer: FlaskClient) -> None:
    """Timestamps go on from segment to segment across clips, or players stop at the seam."""
    text = viewer.get(f"{LIVE}/index.m3u8").text
    expected: int | None = None
    for one in parse(text):
        pictures, _ = ts.contents(segment(viewer, one.uri))
        begin = pictures[0][0]
        assert expected in (None, begin), one
        assert begin == (one.start_us * 9 // 100 + ts.AIR_LEAD_TICKS) % ts.PTS_MODULO
        assert len(pictures) * 40_000 == one.duration_us
        expected = (begin + len(pictures) * ts.TICKS_PER_FRAME) % ts.PTS_MODULO


def test_a_segment_is_for_ever_and_says_so(viewer: FlaskClient) -> None:
    """Every cache between the box and a phone may keep it."""
    address = f"{LIVE}/{listed(viewer)[0]}"
    answer = viewer.get(address)
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.mimetype == "video/mp2t"
    assert viewer.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    head = viewer.head(address)
    assert (head.data, head.headers["Content-Length"]) == (b"", str(len(answer.data)))


def test_a_list_is_fresh_and_says_so(viewer: FlaskClient) -> None:
    """A copy of a minute ago stops every player; a copy of this moment need not be sent twice."""
    answer = viewer.get(f"{LIVE}/index.m3u8")
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert answer.mimetype == "application/vnd.apple.mpegurl"
    packed = viewer.get(f"{LIVE}/dvr.m3u8", headers={"Accept-Encoding": "gzip"})
    if packed.headers.get("Content-Encoding") == "gzip":
        assert parse(gzip.decompress(packed.data).decode())


def altered(address: str) -> Iterator[tuple[str, str]]:
    """The same address with one thing wrong."""
    offset, frames, rendition, name = address.split("/")
    yield "another time", f"{(int(offset) + ts.TICKS_PER_FRAME) % ts.PTS_MODULO}/{frames}/{rendition}/{name}"
    yield "a time beyond the clock", f"{int(offset) + ts.PTS_MODULO}/{frames}/{rendition}/{name}"
    yield "another length", f"{offset}/{int(frames) - 1}/{rendition}/{name}"
    yield "no length", f"{offset}/0/{rendition}/{name}"
    yield "another file", f"{offset}/{frames}/{'0' * 64}/{name}"
    yield "a segment that is none", f"{offset}/{frames}/{rendition}/999999.ts"
    yield "a path", f"{offset}/{frames}/../../../../etc/passwd"
    yield "a coded path", f"{offset}/{frames}/%2e%2e%2f%2e%2e/{name}"
    yield "a negative number", f"{offset}/{frames}/{rendition}/-1.ts"
    yield "a huge number", f"{'9' * 30}/{frames}/{rendition}/{name}"
    yield "digits of another script", f"{offset}/٥٠/{rendition}/{name}"
    yield "capital digits", f"{offset}/{frames}/{rendition.upper()}/{name}"
    yield "nothing", ""


def test_only_what_was_on_the_air_can_be_had(viewer: FlaskClient) -> None:
    """Media that wait for their hour lie in the same folder; their digests alone must open nothing."""
    address = listed(viewer)[-1]
    segment(viewer, address)
    for what, wrong in altered(address):
        assert viewer.get(f"{LIVE}/{wrong}").status_code == 404, what
    assert viewer.get(f"/live/nowhere/{address}").status_code == 404
    assert viewer.get("/live/nowhere/index.m3u8").status_code == 404
    assert viewer.get(f"{LIVE}/other.m3u8").status_code == 404


def test_what_has_not_aired_yet_is_not_there(on_air: County, viewer: FlaskClient) -> None:
    """A film may be had when it has been on, not when somebody can reckon its address: not even what is on just now."""
    now_tick = tick_of(now_us())
    coming = air.stretches(on_air.db, CHANNEL.id, now_tick, now_tick + 60 * ts.TICKS_PER_S)
    asked = 0
    for one in itertools.chain.from_iterable(segments_of(stretch) for stretch in coming):
        address = f"{one.offset_ticks}/{one.frames}/{hex_of(one.rendition)}/{one.number}.ts"
        status = viewer.get(f"{LIVE}/{address}").status_code
        if one.end_tick > tick_of(now_us()):
            assert status == 404
            asked += 1
    assert asked > 10


def test_before_it_begins_a_channel_has_an_empty_list(county: County, client: FlaskClient) -> None:
    """A player that comes too early waits; it is not told that there is no such channel."""
    answer = client.get(f"{LIVE}/index.m3u8")
    assert answer.status_code == 200
    assert "#EXTINF" not in answer.text


def test_with_nothing_to_play_the_slate_is_on(county: County, client: FlaskClient) -> None:
    """The screen is never black: what is built in needs no file of the box."""
    county.go_on_air([])
    addresses = listed(client)
    assert {address.split("/")[2] for address in addresses} == {hex_of(SLATE)}
    assert len(ts.contents(segment(client, addresses[-1]))[0]) == 50


def test_a_recalled_clip_cannot_be_had_any_more(county: County) -> None:
    """A recall bites into what has just been on the air, too."""
    clip = county.package(SMALL)
    county.go_on_air([clip])
    client = create_app(county.config).test_client()
    address = next(address for address in listed(client) if address.split("/")[2] != hex_of(SLATE))
    segment(client, address)
    files.remove(county.config, f"sha256:{address.split('/')[2]}")
    assert create_app(county.config).test_client().get(f"{LIVE}/{address}").status_code == 404


def test_without_a_database_a_player_is_asked_to_come_back(county: County, client: FlaskClient) -> None:
    """503 is tried again, 404 is the end for a player."""
    county.close()
    county.config.database.unlink()
    answer = client.get(f"{LIVE}/index.m3u8")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_the_channel_outlives_its_agent(county: County) -> None:
    """The list goes on from the ledger when nobody writes it any more."""
    county.go_on_air([county.package(SMALL)])
    county.close()
    client = create_app(county.config).test_client()
    before = parse(client.get(f"{LIVE}/index.m3u8").text)
    time.sleep(3)
    assert parse(client.get(f"{LIVE}/index.m3u8").text)[-1].msn > before[-1].msn


def test_workers_and_nginx_say_the_same_at_the_same_moment(on_air: County, tmp_path: Path) -> None:
    """A player meets another worker at each poll; the list may never seem to go back. That they live is seen from their
    locks."""
    assert not is_served(on_air.config)
    with web(on_air.home) as port, nginx_before(on_air.home, port, tmp_path / "nginx") as front:
        until(lambda: is_served(on_air.config))
        for server in (port, front):
            lint = HlsLint(latest_s=4.5)
            deadline = time.monotonic() + 6
            with ThreadPoolExecutor(8) as viewers:
                while time.monotonic() < deadline:
                    texts = set(viewers.map(fetched, [server] * 8, [f"{LIVE}/index.m3u8"] * 8))
                    for text in sorted(texts, key=lambda text: parse(text.decode())[-1].msn):
                        lint.look(text.decode(), now_us())
        address = lint.last[-1].uri
        assert fetched(port, f"{LIVE}/{address}") == fetched(front, f"{LIVE}/{address}")
    assert not is_served(on_air.config)


def fetched(port: int, path: str) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    assert answer.status == 200, (path, answer.status)
    return data


def test_the_guide_tells_what_the_ledger_holds(county: County) -> None:
    """Readers plan their evening by it: names and times are those of the schedule, to the second."""
    clip = county.package(LONG)
    start = datetime.now(ZoneInfo("Asia/Shanghai")).replace(microsecond=0) + timedelta(seconds=90)
    entries = [
        {"id": "e1", "start": f"{start:%H:%M:%S}", "start_type": "hard", "kind": "programme", "title": "早间新闻",
         "asset": clip.digest},
        {"id": "e2", "start_type": "follow", "kind": "ad", "title": "广告", "asset": clip.digest},
        {"id": "e3", "start_type": "follow", "kind": "programme", "title": "农事", "asset": clip.digest},
    ]  # fmt: skip
    county.go_on_air([county.package(SMALL)], county.schedule(*entries))
    client = create_app(county.config).test_client()
    guide = client.get(f"/api/v1/channels/{CHANNEL.id}/epg?date={start.date()}").json
    assert guide is not None
    told = [programme for programme in guide["programmes"] if programme["title"]]
    assert [programme["title"] for programme in told] == ["早间新闻", "农事"]
    assert datetime.fromisoformat(told[0]["start"]) == start
    (channel,) = client.get("/api/v1/channels").json["channels"]  # type: ignore[index]
    assert channel["next"]["title"] == "早间新闻"
    page = client.get(LIVE).text
    assert "早间新闻" in page
    assert "广告" not in page


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_a_segment_is_found_again_by_its_address_on_any_turn_of_the_clock(turns: int) -> None:
    """33 bits of a 90 kHz clock last 26.5 hours; a channel lasts years."""
    start = 1_795_500_000 * ts.TICKS_PER_S + turns * ts.PTS_MODULO
    stretch = Stretch(
        first_msn=7, segments=3, start_tick=start, frames=110, rendition="sha256:" + "a" * 64, first_segment=2
    )
    for number, one in enumerate(segments_of(stretch)):
        for later in (0, ts.TICKS_PER_S, FETCHABLE_TICKS):
            for form in FORMS:
                asked = asked_for(f"/live/ch-1/{playlist.address_of(one, form)}")
                assert asked is not None
                found = starts(asked, one.start_tick + later, FETCHABLE_TICKS + 1)
                assert list(found) == [start + number * ts.SEGMENT_TICKS]
                assert holds([stretch], found[0], asked)
                assert not holds([stretch], found[0] - ts.TICKS_PER_FRAME, asked)
    slate = Stretch(first_msn=0, segments=5, start_tick=start, frames=250, rendition=SLATE)
    for one in segments_of(slate):
        asked = asked_for(f"/live/ch-1/{playlist.address_of(one)}")
        assert asked is not None
        assert list(starts(asked, one.start_tick + 1, FETCHABLE_TICKS)) == [one.start_tick]


def test_an_address_of_last_week_is_looked_for_on_every_turn_since() -> None:
    """What is seen again has the address that it had: in seven days the clock turns six times, each may be meant."""
    start, week = 1_795_500_000 * ts.TICKS_PER_S, 7 * 86_400 * ts.TICKS_PER_S
    stretch = Stretch(first_msn=7, segments=1, start_tick=start, frames=50, rendition="sha256:" + "a" * 64)
    (one,) = segments_of(stretch)
    asked = asked_for(f"/live/ch-1/{playlist.address_of(one)}")
    assert asked is not None
    found = list(starts(asked, start + week - ts.TICKS_PER_S, week))
    assert found[-1] == start
    assert len(found) == 7
    assert list(starts(asked, start + week, week))[-1] > start


def test_no_file_stays_open_after_a_segment(viewer: FlaskClient) -> None:
    """A channel asks for a segment every two seconds, for years."""
    addresses = listed(viewer)
    segment(viewer, addresses[0])
    before = len(os.listdir("/proc/self/fd"))
    for address in addresses:
        segment(viewer, address)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_rendition_that_is_cut_short_is_not_served(county: County) -> None:
    """Half a segment would break every decoder; none is a gap that players cross."""
    clip: Asset = county.package(SMALL)
    county.go_on_air([clip])
    client = create_app(county.config).test_client()
    address = next(address for address in listed(client) if address.split("/")[2] != hex_of(SLATE))
    path = files.path_of(county.config, address.split("/")[2])
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:1000])
    assert client.get(f"{LIVE}/{address}").status_code == 404
