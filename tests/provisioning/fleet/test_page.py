"""The page: given out by a real nginx, looked at by a real Chromium; no script, any width, both languages."""

import html
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from appliance.core import moment
from appliance.core.moment import US
from provisioning.fleet import nginx
from provisioning.fleet.core.changes import CHANGES_MAX, noted
from provisioning.fleet.core.freshness import STALE_MINUTES, rules
from provisioning.fleet.core.hub import Watching
from provisioning.fleet.gather import gather
from provisioning.fleet.watch import Watch
from tests.browser.chromium import complaints, phone, width_of
from tests.provisioning.fleet.counties import MISSING, NAMES, Counties, alarm, city, counties
from tests.provisioning.fleet.serving import NGINX, served

EVIL = "<script>alert(1)</script><!--#include virtual='/etc/passwd' -->\"'>&"

needs_nginx = pytest.mark.skipif(not Path(NGINX).exists(), reason="no nginx")


def written(made: Counties, page: Path) -> None:
    watch = Watch(made.folder, page)
    watch.turn()
    watch.end()


class Words(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data


def test_nothing_that_a_county_says_is_markup_or_a_word_to_the_server(sixteen: Counties, tmp_path: Path) -> None:
    """A title goes into the page of the city's operators."""
    sixteen.add("gongyi", name=EVIL)
    channel = {"channel": EVIL, "name": EVIL, "title": EVIL, "kind": EVIL, "planned": False, "reason": {"zh": EVIL}}
    sixteen.say("gongyi", version=EVIL, on_air=[channel], alarms=[alarm(EVIL, "red", EVIL, EVIL, EVIL, EVIL)])
    written(sixteen, tmp_path / "page")
    for path in (tmp_path / "page").glob("*.html"):
        text = path.read_text()
        parsed = Words(text)
        assert not {"script", "iframe", "object", "form", "img"} & set(parsed.tags), path.name
        assert not [name for name, _value in parsed.attributes if name.startswith("on")]
        assert text.count("<!--#") == len(re.findall(r"<!--# (?:config|if|endif)", text))
    assert html.escape(EVIL[:40]) in (tmp_path / "page/gongyi.html").read_text()


def test_every_county_has_its_page_in_both_languages_and_links_are_alive(sixteen: Counties, tmp_path: Path) -> None:
    """One row each, and the way to its own page and back."""
    page = tmp_path / "page"
    written(sixteen, page)
    for name in ("index.html", "en.html", *(f"{site}{end}.html" for site in NAMES for end in ("", ".en"))):
        parsed = Words((page / name).read_text())
        named = [value for key, value in parsed.attributes if key == "href" and value is not None]
        assert named and [value for value in named if not (page / value).exists()] == [], name
    assert (page / "index.html").read_text().count("<tr class=row>") == len(NAMES)
    assert "现在就改节目单" in (page / "index.html").read_text()
    english = Words((page / "en.html").read_text()).words
    assert "change the schedule now" in english
    assert not re.findall(r"[一-鿿]+(?:告警|离线|在线|备播|磁盘)", english)


def test_a_page_knows_the_minutes_in_which_it_is_good() -> None:
    """Pure: what the server compares its clock with."""
    told = rules("2026-12-31T23:58:40Z", "en")
    assert re.findall(r"= /\^(\d{12})/", told) == ["202612312358", "202612312359", "202701010000", "202701010001"]
    assert "less than a minute ago" in told


def test_a_county_whose_line_comes_and_goes_keeps_a_bounded_history(sixteen: Counties) -> None:
    """Every ten seconds for a month would be a page that no telephone loads."""
    [row] = [each for each in gather(sixteen.folder, Watching()).sites if each.site == "zhongmu"]
    history = noted(None, row, "2026-11-26T00:00:00Z")
    import msgspec

    for number in range(CHANGES_MAX + 50):
        link = ("away", "connected")[number % 2]
        row = msgspec.structs.replace(row, link=link)
        history = noted(history, row, moment.to_text(number * US))
    assert len(history.changes) == CHANGES_MAX
    assert history.changes[0].at == moment.to_text((CHANGES_MAX + 49) * US)
    assert noted(history, row, "2026-11-27T00:00:00Z") is history


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, Counties]]:
    """The sixteen on a page, as it would be this very minute, served."""
    root = tmp_path_factory.mktemp("page")
    with counties(root / "hub") as made:
        made.clock.us = int(datetime.now(UTC).timestamp()) * US
        city(made)
        written(made, root / "page")
        with served(root / "page", root / "nginx") as address:
            yield root / "page", address, made


def fetched(address: str) -> tuple[dict[str, str], str]:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return {name.lower(): value for name, value in answer.headers.items()}, answer.read().decode()


@needs_nginx
def test_the_server_gives_out_pages_and_figures_with_their_types(shown: tuple[Path, str, Counties]) -> None:
    """And nothing for a cache or a frame."""
    _page, address, _made = shown
    types = {"/": "text/html", "/fleet.css": "text/css", "/fleet.json": "application/json", "/metrics": "text/plain"}
    for path, kind in types.items():
        headers, body = fetched(address + path)
        assert headers["content-type"].startswith(kind) and body
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-cache", "nosniff")
    assert fetched(f"{address}/metrics")[0]["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@needs_nginx
def test_a_page_whose_watch_is_dead_is_stale_however_often_it_is_loaded(
    tmp_path: Path, sixteen: Counties, shown: tuple[Path, str, Counties]
) -> None:
    """Nobody has to notice that a time stands still: the server's clock tells, and no script."""
    fresh = fetched(f"{shown[1]}/")[1]
    assert ".stale{max-height:20em!important" not in fresh and re.search("不到 1 分钟前|约 1 分钟前", fresh)
    now_us = int(datetime.now(UTC).timestamp()) * US
    for minutes, is_stale in ((STALE_MINUTES - 1, False), (STALE_MINUTES + 2, True)):
        sixteen.clock.us = now_us - minutes * 60 * US
        page = tmp_path / f"page{minutes}"
        written(sixteen, page)
        with served(page, tmp_path / f"nginx{minutes}") as address:
            for path in ("/", "/en.html", "/dengfeng.html"):
                assert (".stale{max-height:20em!important" in fetched(address + path)[1]) is is_stale, (path, minutes)


@needs_nginx
def test_only_the_networks_that_may_look_are_let_in(tmp_path: Path, sixteen: Counties) -> None:
    """It says which county is weak, and where."""
    written(sixteen, tmp_path / "page")
    with served(tmp_path / "page", tmp_path / "nginx", ("10.44.0.0/24",)) as address:
        for path in ("/", "/metrics", "/fleet.json"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                fetched(address + path)
            assert caught.value.code == 403
    assert "deny all;" not in nginx.site(tmp_path, "127.0.0.1:80")


@needs_nginx
@pytest.mark.skipif(shutil.which("chromedriver") is None, reason="no Chromium")
def test_it_reads_on_a_telephone_and_on_a_wall_without_a_script(shown: tuple[Path, str, Counties]) -> None:
    """Nothing is pushed aside, the browser has no complaint, and a page that is left open goes stale by itself."""
    page, address, _made = shown
    with phone() as driver:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        driver.get(f"{address}/")
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        rows = driver.find_elements("css selector", "table.fleet tbody")
        assert len(rows) == len(NAMES) and rows[0].text.splitlines()[0].startswith("登封市融媒体中心")
        assert MISSING["hint"]["zh"] in rows[0].text
        assert driver.find_element("css selector", ".stale").text == ""
        assert not driver.find_element("css selector", ".ageless").is_displayed()
        for width in (390, 1280):
            screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            for name in ("", "en.html", "dengfeng.html", "dengfeng.en.html"):
                driver.get(f"{address}/{name}")
                assert width_of(driver) <= width, (width, name)
        assert complaints(driver) == ()
        # As it is after three minutes in a tab that nobody touches.
        driver.get(f"{address}/")
        driver.execute_script("for (const each of document.getAnimations()) each.currentTime = 200000")  # type: ignore[no-untyped-call]
        assert driver.find_element("css selector", ".stale").text.startswith("本页已过期")
        # Opened from the disk, with no server to ask.
        driver.get(f"file://{page}/index.html")
        assert driver.find_element("css selector", ".ageless").is_displayed()
