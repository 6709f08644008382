"""What has been on, seen again: from the moment of its end, from the same bytes, while it may be and is here."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from flask.testing import FlaskClient

from appliance import files
from appliance.config import ChannelConfig
from appliance.core import records
from appliance.core.asset import hex_of
from appliance.core.moment import to_us
from appliance.core.rundown import SLATE
from appliance.store import air, facts, needs
from appliance.web.app import create_app
from tests.appliance.core.hls_lint import AUDIO, CMAF, HlsLint, Listed, parse, whole
from tests.appliance.core.stream_lint import AudioLint, CmafLint, TsLint
from tests.appliance.web.conftest import CHANNEL
from tests.appliance.web.county import County, now_us
from tests.appliance.web.servers import nginx_before, web
from tests.appliance.web.test_live import fetched

ZONE = ZoneInfo("Asia/Shanghai")
RADIO = ChannelConfig("dengfeng-2", "登封广播", "radio")


def entries(long: str, small: str, **first: Any) -> list[dict[str, Any]]:
    """News with an advertisement in it, then a talk, a minute and a half ago; a film in half a minute."""
    begin = datetime.now(ZONE).replace(microsecond=0) - timedelta(seconds=90)
    later = begin + timedelta(seconds=120)
    return [
        {"id": "e1", "start": f"{begin:%H:%M:%S}", "start_type": "hard", "kind": "programme", "title": "早间新闻",
         "asset": long, "out_s": 4.0, **first},
        {"id": "e2", "start_type": "follow", "kind": "ad", "title": "化肥", "asset": small},
        {"id": "e3", "start_type": "follow", "kind": "programme", "title": "早间新闻", "asset": long, "in_s": 4.0},
        {"id": "e4", "start_type": "follow", "kind": "programme", "title": "农事", "asset": small, "catchup": False},
        {"id": "e5", "start": f"{later:%H:%M:%S}", "start_type": "hard", "kind": "programme", "title": "电影",
         "asset": long},
    ]  # fmt: skip


@pytest.fixture
def aired(tmp_path: Path) -> Iterator[County]:
    """A channel whose news is over."""
    county = County(tmp_path / "box", channels=(CHANNEL, RADIO))
    long, small = county.package("long"), county.package("small")
    county.go_on_air([small], county.schedule(*entries(long.digest, small.digest)))
    yield county
    county.close()


def client_of(county: County) -> FlaskClient:
    """With nothing remembered."""
    return create_app(county.config).test_client()


def guide(client: FlaskClient, channel: str = CHANNEL.id) -> dict[str, dict[str, Any]]:
    """By title."""
    answer = client.get(f"/api/v1/channels/{channel}/epg").json
    assert answer is not None
    return {each["title"]: each for each in answer["programmes"] if each["title"]}


def segment(client: FlaskClient, listed: Listed) -> bytes:
    answer = client.get(f"/catchup/{listed.uri}".replace("/catchup/..", ""))
    assert answer.status_code == 200, listed
    return answer.data


def test_what_has_ended_is_one_complete_list_of_the_segments_that_were_on(aired: County) -> None:
    """Both parts and the advertisement between them, at the addresses that they had: nothing is copied."""
    client = client_of(aired)
    told = guide(client)
    news = told["早间新闻"]
    text = client.get(news["catchup"]).text
    found = whole(text)
    assert found.segments[0].start_us == to_us(news["start"])
    assert found.segments[-1].end_us == to_us(news["end"])
    assert not found.breaks
    on_air = {each.uri for each in parse(client.get(f"/live/{CHANNEL.id}/dvr.m3u8").text)}
    assert {each.uri.removeprefix(f"../live/{CHANNEL.id}/") for each in found.segments} <= on_air
    lint = TsLint()
    for each in found.segments:
        lint.look(each, segment(client, each))
    assert news["entry"].endswith("/e1")


def test_only_what_has_ended_and_may_be_seen_again_has_a_list(aired: County) -> None:
    """The talk has no right, the film has not been on, what only joins programmes is none."""
    client = client_of(aired)
    told = guide(client)
    assert [told[title]["catchup"] is not None for title in ("早间新闻", "农事", "电影")] == [True, False, False]
    rows = air.rows_between(aired.db, CHANNEL.id, 0)
    lists = {row.first_msn: client.get(f"/catchup/{CHANNEL.id}-{row.first_msn}.m3u8").status_code for row in rows}
    assert sorted(lists.values()) == [200, *[404] * (len(lists) - 1)]
    for wrong in (f"{CHANNEL.id}-0", f"{CHANNEL.id}-99999999999", "nowhere-1", CHANNEL.id, "-", f"{CHANNEL.id}-٥"):
        assert client.get(f"/catchup/{wrong}.m3u8").status_code == 404, wrong
    assert client.post(f"/catchup/{CHANNEL.id}-1.m3u8").status_code == 405


def test_a_programme_has_its_list_within_a_segment_of_its_end(tmp_path: Path) -> None:
    """Who came home late presses the button when the news is just over."""
    county = County(tmp_path / "box", channels=(CHANNEL,))
    clip = county.package("small")
    begin = datetime.now(ZONE).replace(microsecond=0) + timedelta(seconds=1)
    entry = {"id": "e1", "start": f"{begin:%H:%M:%S}", "start_type": "hard", "kind": "programme", "title": "短讯"}
    county.go_on_air([], county.schedule({**entry, "asset": clip.digest}))
    row = next(each for each in air.rows_between(county.db, CHANNEL.id, 0) if each.entry_id == "e1")
    client, path, end_us = client_of(county), f"/catchup/{CHANNEL.id}-{row.first_msn}.m3u8", row.end_tick * 100 // 9
    while client.get(path).status_code != 200:
        assert now_us() < end_us + 2_000_000
        time.sleep(0.1)
    assert now_us() >= end_us
    county.close()


def test_a_right_is_taken_away_by_a_new_schedule_and_given_back(aired: County) -> None:
    """A complaint about rights is met at once; the ledger stays as it is."""
    path = guide(client_of(aired))["早间新闻"]["catchup"]
    long, small = (each["asset"] for each in (entry_of(aired, "e1"), entry_of(aired, "e2")))
    for version, right in ((2, False), (3, True)):
        day = {**aired.schedule(*entries(long, small, catchup=right)), "version": version}
        body = records.Schedule(channel=CHANNEL.id, date=day["date"], version=version, document=raw(day))
        aired.write(lambda db, body=body: air.receive_schedule(db, body, "Asia/Shanghai", [CHANNEL.id], now_us()))
        client = client_of(aired)
        assert client.get(path).status_code == (200 if right else 404)
        assert (guide(client)["早间新闻"]["catchup"] == path) is right


def test_what_was_recalled_or_has_gone_cannot_be_seen_again(aired: County) -> None:
    """A recall reaches into the past; a programme half of which is missing is none."""
    client = client_of(aired)
    path = guide(client)["早间新闻"]["catchup"]
    first = whole(client.get(path).text).segments[0]
    aired.write(lambda db: needs.bury(db, entry_of(aired, "e1")["asset"], "误发", now_us()))
    client = client_of(aired)
    assert client.get(path).status_code == 404
    assert guide(client)["早间新闻"]["catchup"] is None
    assert facts.look(aired.config, now_us()).storage.catchup_gone == 0  # type: ignore[union-attr]
    rendition = f"sha256:{first.uri.split('/')[-2]}"
    files.remove(aired.config, rendition)
    assert client_of(aired).get(first.uri.removeprefix("..")).status_code == 404


def test_what_had_to_make_room_is_told_and_has_no_list(aired: County) -> None:
    """Nobody notices what is not there any more, so the box says it."""
    path = guide(client_of(aired))["早间新闻"]["catchup"]
    first = whole(client_of(aired).get(path).text).segments[0]
    aired.write(lambda db: needs.gone(db, f"sha256:{first.uri.split('/')[-2]}"))
    assert client_of(aired).get(path).status_code == 404
    told = {alarm.id: alarm for alarm in facts.look(aired.config, now_us()).alarms}
    assert told["catchup"].severity == "info"
    assert "2" in told["catchup"].text.zh


def test_an_advertisement_that_was_recalled_is_left_out_with_a_tag(aired: County) -> None:
    """The rest of the programme stays; where something is missing the timeline has a hole, and says so."""
    path = guide(client_of(aired))["早间新闻"]["catchup"]
    aired.write(lambda db: needs.bury(db, entry_of(aired, "e2")["asset"], "误发", now_us()))
    found = whole(client_of(aired).get(path).text)
    assert len(found.breaks) == 1
    assert len({each.uri.split("/")[-2] for each in found.segments}) == 1


def test_after_the_days_that_the_config_says_nothing_is_left(aired: County) -> None:
    """Hours later only what may be seen again can be had, at its old address, until its days are over."""
    client = client_of(aired)
    news = guide(client)["早间新闻"]
    found = whole(client.get(news["catchup"]).text)
    talk = next(each for each in parse(client.get(f"/live/{CHANNEL.id}/dvr.m3u8").text) if is_of(aired, each, "e4"))
    for days, expected in ((0.3, (200, 200, 404)), (6.9, (200, 200, 404)), (7.1, (404, 404, 404))):
        clock = Later(days)
        later = create_app(_with_clock(aired, clock)).test_client()
        paths = (news["catchup"], found.segments[0].uri.removeprefix(".."), f"/live/{CHANNEL.id}/{talk.uri}")
        assert tuple(later.get(path).status_code for path in paths) == expected, days


def test_the_page_leads_to_what_can_be_seen_again(aired: County) -> None:
    """回看 stands beside the programme, for each day that there is something of."""
    client = client_of(aired)
    path = guide(client)["早间新闻"]["catchup"]
    page = client.get(f"/live/{CHANNEL.id}").text
    assert f'data-catchup="{path}"' in page
    assert page.count('class="chip" href="?date=') == 9
    yesterday = datetime.now(ZONE).date() - timedelta(days=1)
    assert path not in client.get(f"/live/{CHANNEL.id}?date={yesterday}").text
    assert client.get(f"/live/{CHANNEL.id}?date=never").status_code == 400


def test_a_radio_channel_is_sound_alone(aired: County) -> None:
    """The same renditions, the same timeline; its lists name nothing but packed audio, exact to the sample."""
    now = now_us() - 120_000_000

    def begin(db: Any) -> None:
        air.ensure_channel(db, RADIO.id, "Asia/Shanghai", now)
        air.set_fillers(db, RADIO.id, [entry_of(aired, "e1")["asset"], entry_of(aired, "e2")["asset"]])
        air.recompile(db, RADIO.id, now, 1)

    aired.write(begin)
    client = client_of(aired)
    text = client.get(f"/live/{RADIO.id}/index.m3u8").text
    HlsLint(form=AUDIO).look(text, now_us())
    lint = AudioLint()
    for each in parse(client.get(f"/live/{RADIO.id}/dvr.m3u8").text, AUDIO)[-30:]:
        answer = client.get(f"/live/{RADIO.id}/{each.uri}")
        assert (answer.status_code, answer.mimetype) == (200, "audio/aac")
        lint.look(each, answer.data)
    assert lint.segments == 30
    assert client.get(f"/live/{RADIO.id}/cmaf.m3u8").status_code == 404
    assert client.get(f"/live/{RADIO.id}/{each.uri.replace('.aac', '.m4s')}").status_code == 404
    told = client.get("/api/v1/channels").json
    assert told is not None
    assert [(each["kind"], each["cmaf"]) for each in told["channels"]] == [
        ("tv", f"/live/{CHANNEL.id}/cmaf.m3u8"),
        ("radio", None),
    ]
    page = client.get(f"/live/{RADIO.id}").text
    assert "<audio controls>" in page and "<video" not in page


def test_the_same_timeline_as_fragmented_mp4(aired: County) -> None:
    """One init segment for all, and in each list the numbers and times of the other."""
    client = client_of(aired)
    told = parse(client.get(f"/live/{CHANNEL.id}/cmaf-dvr.m3u8").text, CMAF)
    other = parse(client.get(f"/live/{CHANNEL.id}/dvr.m3u8").text)
    shared = {each.msn: (each.start_us, each.duration_us) for each in other}
    assert all(shared[each.msn] == (each.start_us, each.duration_us) for each in told if each.msn in shared)
    text = client.get(f"/live/{CHANNEL.id}/cmaf.m3u8").text
    HlsLint(form=CMAF).look(text, now_us())
    name = text.split('URI="')[1].split('"')[0]
    init = client.get(f"/live/{CHANNEL.id}/{name}")
    assert (init.status_code, init.mimetype) == (200, "video/mp4")
    assert client.get(f"/live/{CHANNEL.id}/init-{'0' * 16}.mp4").status_code == 404
    lint = CmafLint(init.data)
    for each in told[-30:]:
        answer = client.get(f"/live/{CHANNEL.id}/{each.uri}")
        assert (answer.status_code, answer.mimetype) == (200, "video/mp4")
        lint.look(each, answer.data)
    later = f"{int(each.uri.split('/')[0]) + 3600}/{each.uri.split('/', 1)[1]}"
    assert client.get(f"/live/{CHANNEL.id}/{later}").status_code == 404


def test_nginx_passes_every_form_on(aired: County, tmp_path: Path) -> None:
    """What the box answers, nginx answers: lists, init segment, fragments, and what is seen again."""
    client = client_of(aired)
    news = guide(client)["早间新闻"]["catchup"]
    text = client.get(f"/live/{CHANNEL.id}/cmaf.m3u8").text
    name = text.split('URI="')[1].split('"')[0]
    paths = [news, f"/live/{CHANNEL.id}/{name}", f"/live/{CHANNEL.id}/{parse(text, CMAF)[-1].uri}"]
    with web(aired.home) as port, nginx_before(aired.home, port, tmp_path / "nginx") as front:
        for path in paths:
            assert fetched(front, path) == client.get(path).data, path


class Later:
    """The clock of a box some days on."""

    def __init__(self, days: float) -> None:
        self.more_us = round(days * 86_400_000_000)

    def wall_us(self) -> int:
        return now_us() + self.more_us

    def running_us(self) -> int:
        return 1


def _with_clock(county: County, clock: Later) -> Any:
    return replace(county.config, clock=clock)


def raw(document: dict[str, Any]) -> Any:
    return msgspec.Raw(msgspec.json.encode(document))


def entry_of(county: County, entry_id: str) -> dict[str, Any]:
    """What the newest schedule says of an entry."""
    found = county.db.execute("SELECT document FROM schedules ORDER BY version DESC LIMIT 1").fetchone()
    (entry,) = (each for each in json.loads(found[0])["entries"] if each["id"] == entry_id)
    return entry  # type: ignore[no-any-return]


def is_of(county: County, listed: Listed, entry_id: str) -> bool:
    """Whether a segment is of an entry."""
    rows = air.rows_between(county.db, CHANNEL.id, 0)
    row = next(each for each in rows if each.entry_id == entry_id and each.rendition != SLATE)
    return row.first_msn <= listed.msn < row.next_msn and hex_of(row.rendition) in listed.uri
