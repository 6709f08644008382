"""The guide as other programs read it: valid XMLTV, with nothing in it that no viewer looks for."""

import re
from datetime import datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

from appliance.config import ChannelConfig
from appliance.core.guide import Programme
from appliance.web.app import create_app
from appliance.web.xmltv import Listing, document
from tests.appliance.web.conftest import CHANNEL
from tests.appliance.web.county import County
from tests.appliance.web.test_catchup import entries, guide

ZONE = ZoneInfo("Asia/Shanghai")
BEGIN = 1_795_478_400_000_000
ORDER = [
    "title",
    "sub-title",
    "desc",
    "credits",
    "date",
    "category",
    "keyword",
    "language",
    "orig-language",
    "length",
    "icon",
    "url",
    "country",
    "episode-num",
    "video",
    "audio",
    "previously-shown",
    "premiere",
    "last-chance",
    "new",
    "subtitles",
    "rating",
    "star-rating",
    "review",
]
"""The children of a programme in the order that the DTD asks for."""
ONCE = {"credits", "date", "language", "orig-language", "length", "video", "audio", "premiere", "new"}


def check(data: bytes) -> Element:
    """What the DTD says: order and number of children, attributes, times, no text where none belongs."""
    root = ElementTree.fromstring(data)
    assert root.tag == "tv"
    tags = [each.tag for each in root]
    assert tags == sorted(tags, key=["channel", "programme"].index), "channels come first"
    channels = {each.get("id") for each in root.iterfind("channel")}
    for channel in root.iterfind("channel"):
        assert set(channel.attrib) == {"id"}
        names = [each.tag for each in channel]
        assert names[0] == "display-name" and names == sorted(names, key=["display-name", "icon", "url"].index)
    for programme in root.iterfind("programme"):
        names = [each.tag for each in programme]
        assert names == sorted(names, key=ORDER.index)
        assert names[0] == "title" and programme.findtext("title")
        assert not [name for name in ONCE if names.count(name) > 1]
        assert {"start", "channel"} <= set(programme.attrib) <= {"start", "stop", "channel"}
        assert programme.get("channel") in channels
        begin, end = (programme.get(name) or "" for name in ("start", "stop"))
        assert all(re.fullmatch(r"\d{14} [+-]\d{4}", each) for each in (begin, end))
        assert parsed(begin) < parsed(end)
        length = programme.find("length")
        assert length is not None and length.get("units") == "seconds"
    return root


def parsed(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S %z")


def test_the_guide_of_a_box_is_valid_and_tells_programmes_alone(county: County) -> None:
    """Advertisements and fillers are hidden, the parts of one programme are one; what is over leads to its list."""
    long, small = county.package("long"), county.package("small")
    county.go_on_air([small], county.schedule(*entries(long.digest, small.digest)))
    client = create_app(county.config).test_client()
    answer = client.get("/epg.xml")
    assert (answer.status_code, answer.mimetype) == (200, "application/xml")
    root = check(answer.data)
    told = {each.findtext("title"): each for each in root.iterfind("programme")}
    assert list(told) == ["早间新闻", "农事", "电影"]
    news = guide(client)["早间新闻"]
    assert told["早间新闻"].findtext("url") == f"http://localhost{news['catchup']}"
    assert parsed(told["早间新闻"].get("start") or "") == datetime.fromisoformat(news["start"])
    assert told["农事"].findtext("url") is None
    assert told["早间新闻"].get("start", "").endswith("+0800")
    # Its addresses hold the name by which the box was asked: no copy of it may be given to another.
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "X-Accel-Expires" not in answer.headers
    other = client.get("/epg.xml", headers={"Host": "box.example"}).text
    assert "http://box.example/catchup/" in other and "localhost" not in other


def test_whatever_a_title_holds_the_document_is_xml(county: County) -> None:
    """Titles are typed by people and come from files; one of them must not take the guide of all channels away."""
    title = "<b>&\"' \x00\x0b\ud800 ]]> 嵩山"
    services = [
        Listing("ch-1", "一<台>", "tv", [(Programme(title, "live", BEGIN, BEGIN + 60_000_000), None)]),
        Listing("ch-2", "广播", "radio", [(Programme("早", "programme", BEGIN, BEGIN + 1_000_000), "/catchup/x.m3u8")]),
        Listing("ch-3", "空", "tv", [(Programme("", "filler", BEGIN, BEGIN + 1_000_000), None)]),
    ]
    root = check(document(services, ZONE, "登封\x07市", "http://10.0.0.5"))
    first, second = root.iterfind("programme")
    assert first.findtext("title") == "<b>&\"'  ]]> 嵩山"
    assert [each.text for each in first.iterfind("category")] == ["直播", "Live"]
    assert second.findtext("video/present") == "no"
    assert root.get("source-info-name") == "登封市"


def test_a_box_without_channels_has_an_empty_guide(county: County) -> None:
    """Still a document."""
    assert len(check(document([], ZONE, "登封", "http://x"))) == 0
    assert ChannelConfig(CHANNEL.id, CHANNEL.name, "tv") == CHANNEL
