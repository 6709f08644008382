"""The pages: what a reader sees, in which language, and what a browser is told to allow."""

import gzip
import re

import pytest
from flask.testing import FlaskClient

from appliance.core.asset import Asset
from appliance.core.moment import US, to_text
from appliance.web.app import create_app
from tests.appliance.web.county import PICTURE, County, now_us

PAGES = ("/", "/sections/news", "/items/a", "/search", "/search?q=嵩", "/tip", "/live/dengfeng-1", "/items/none")
HOST = re.compile(r"""(?:src|href|action|poster)\s*=\s*["'](?:https?:)?//""")


@pytest.fixture
def stories(county: County) -> list[Asset]:
    """One item with a picture and a film."""
    picture = county.bring(PICTURE, "红叶.jpg", "image/jpeg", "picture")
    film = county.bring(b"film", "嵩山.mp4", "video/mp4", "video", 65.0)
    county.publish("a", summary="红叶正好", body_html="<p>正文</p>", assets=(picture, film))
    return [picture, film]


def test_chinese_comes_first_and_english_is_whole(client: FlaskClient, stories: list[Asset]) -> None:
    """A reader is asked for nothing to read Chinese, and finds no Chinese of ours after choosing English."""
    page = client.get("/")
    assert '<html lang="zh-CN">' in page.text
    assert "首页" in page.text
    english = client.get("/?lang=en").text
    ours = english.replace("登封市融媒体中心", "").replace("登封综合", "").replace("中文", "")
    ours = ours.replace("嵩山深处秋色正浓", "").replace("红叶正好", "")
    assert not re.search(r"[\u4e00-\u9fff]", re.sub(r"/media/[^\"]*", "", ours))


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "zh-CN"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-US,en;q=0.9", "en"),
        ("en;q=0.5, zh;q=0.6", "zh-CN"),
        ("fr", "zh-CN"),
        ("zh-TW", "zh-CN"),
        ("*", "zh-CN"),
        (";;;q=", "zh-CN"),
    ],
)
def test_the_browser_says_which_language_unless_the_reader_does(
    client: FlaskClient, accepted: str | None, language: str
) -> None:
    """The choice of a reader stands over the browser's, and lasts."""
    headers = {"Accept-Language": accepted} if accepted else {}
    assert f'<html lang="{language}">' in client.get("/tip", headers=headers).text
    client.get("/tip?lang=en")
    assert '<html lang="en">' in client.get("/tip", headers={"Accept-Language": "zh"}).text
    assert "Set-Cookie" not in client.get("/tip?lang=klingon").headers


def test_the_other_language_of_a_page_is_the_same_page(client: FlaskClient, stories: list[Asset]) -> None:
    """Whoever changes language in the middle of a search does not start again."""
    page = client.get("/search?q=红叶&page=1").text
    assert 'href="?q=%E7%BA%A2%E5%8F%B6&amp;page=1&amp;lang=en"' in page


@pytest.mark.parametrize("path", PAGES)
def test_every_page_allows_its_own_host_and_nothing_else(client: FlaskClient, stories: list[Asset], path: str) -> None:
    """A county in an outage has no other hosts; a story must not smuggle one in."""
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert not HOST.search(answer.text)
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|style=|javascript:", answer.text)


def test_every_file_that_a_page_names_is_there(client: FlaskClient, stories: list[Asset]) -> None:
    """A page without its player is a blank screen."""
    for path in PAGES:
        for address in re.findall(
            r'(?:src|href|poster|data-worker)="(/(?:static|media)/[^"]*)"', client.get(path).text
        ):
            assert client.get(address).status_code == 200, address


def test_a_page_shows_what_an_item_has(client: FlaskClient, stories: list[Asset]) -> None:
    """The first picture stands for the film until it plays, and is not shown a second time."""
    page = client.get("/items/a").text
    picture, film = (asset.digest.removeprefix("sha256:") for asset in stories)
    assert re.search(rf'<video[^>]*src="/media/{film}/[^"]*"[^>]*poster="/media/{picture}/', page)
    assert "<figure>" not in page
    assert "<p>正文</p>" in page
    assert "1:05" in client.get("/").text


def test_a_film_that_no_phone_plays_can_be_fetched(county: County, client: FlaskClient) -> None:
    """A camera's own format is no black box on the page; it is a file with its name and size."""
    film = county.bring(b"x" * 5000, "素材.mxf", "application/mxf", "video")
    county.publish("a", assets=(film,))
    page = client.get("/items/a").text
    assert "<video" not in page
    assert "素材.mxf" in page
    assert "5.0 kB" in page


def test_an_empty_box_has_pages_too(client: FlaskClient) -> None:
    """A new county's first look must not be an error."""
    for path in ("/", "/sections/shop", "/search?q=x", "/live/dengfeng-1"):
        assert client.get(path).status_code == 200


def test_pages_turn_forward_and_back(county: County, client: FlaskClient) -> None:
    """The last page leads back, the first one on, and a section stays itself."""
    for number in range(25):
        county.publish(f"n-{number}", section="shop")
    first, second = client.get("/sections/shop").text, client.get("/sections/shop?page=2").text
    assert 'rel="next" href="/sections/shop?page=2"' in first
    assert 'rel="prev"' not in first
    assert 'rel="prev" href="/sections/shop"' in second
    assert 'rel="next"' not in second
    assert 'rel="prev" href="/sections/shop?page=2"' in client.get("/sections/shop?page=9").text


@pytest.mark.parametrize(
    ("age_s", "words"), [(10, "刚刚"), (600, "10 分钟前"), (400 * 86400, "20")]
)  # fmt: skip
def test_when_an_item_came_is_said_as_people_say_it(
    county: County, client: FlaskClient, age_s: int, words: str
) -> None:
    """A reader wants to know whether it is new."""
    county.publish("a", created_at=to_text(now_us() - age_s * US))
    said = re.search(r"<time[^>]*>([^<]*)</time>", client.get("/").text)
    assert said is not None
    assert said[1].startswith(words)


def test_the_line_to_the_hub_is_told_when_it_is_gone(county: County) -> None:
    """A reader may know how old the news is; while the line stands nobody is bothered."""
    county.say_link("connected", 5)
    assert 'class="notice"' not in create_app(county.config).test_client().get("/").text
    county.say_link("offline", 3 * 3600 + 12 * 60)
    page = create_app(county.config).test_client().get("/").text
    assert "与嵩山云断开 3 小时 12 分" in page


def test_what_is_long_is_compressed_for_whoever_can_read_it(county: County, client: FlaskClient) -> None:
    """A page in the hills comes at a few kilobytes a second."""
    county.publish("a", body_html="<p>长文</p>" * 500)
    packed = client.get("/items/a", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data).decode() == client.get("/items/a").text
    assert len(packed.data) < 4000
    refused = client.get("/items/a", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


def test_what_readers_type_is_shown_as_text(client: FlaskClient) -> None:
    """A search word comes back on the page; it must not come back as mark-up."""
    page = client.get("/search", query_string={"q": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
