"""The pages in a real browser: nothing asked of another host, nothing complained of, nothing wider than the phone."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from appliance import spool
from appliance.core.command import Tip
from tests.appliance.clips import make
from tests.appliance.web.conftest import CHANNEL
from tests.appliance.web.county import County
from tests.appliance.web.servers import web
from tests.browser.chromium import asked_hosts, complaints, phone, width_of

PAGES = ("/", "/sections/shop", "/items/film", "/items/long", "/search?q=x", "/tip", f"/live/{CHANNEL.id}")
LONG_TITLE = "关于进一步做好全县冬季清洁取暖补贴申领发放工作有关事项的通知暨办事指南（二〇二六年度第一批）" + "a" * 60
WIDE_BODY = (
    f"<h2>{'长' * 80}</h2><p>{'w' * 200}</p><table><tr>" + "<td>很长的一格内容</td>" * 20 + "</tr></table>"
    "<pre>" + "x" * 300 + '</pre><script src="http://evil.example/x.js"></script><img src="http://evil.example/x.png">'
)


class Site:
    """A county with a film, a long story and a channel, and where it is served."""

    def __init__(self, county: County, port: int) -> None:
        self.county = county
        self.host = f"127.0.0.1:{port}"

    def address(self, path: str) -> str:
        return f"http://{self.host}{path}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    county = County(tmp_path_factory.mktemp("pages") / "box", channels=(CHANNEL,))
    film = county.bring(
        make("film.mp4", video="testsrc=s=320x180:r=25:d=2").read_bytes(), "片.mp4", "video/mp4", "video", 2.0
    )
    county.publish("film", summary="两秒的片子", assets=(film,))
    county.publish("long", LONG_TITLE, section="shop", body_html=WIDE_BODY, summary="摘" * 300)
    county.go_on_air([county.package("small")])
    county.say_link("connected")
    with web(county.home) as port:
        yield Site(county, port)
    county.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with phone() as driver:
        yield driver


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_nobody_but_the_box_and_nothing_is_wrong_with_it(site: Site, browser: Chrome, path: str) -> None:
    """A page that waits for another host is blank in an outage; one that errs is broken on some phone."""
    asked_hosts(browser), complaints(browser)
    browser.get(site.address(path))
    time.sleep(0.5)
    assert complaints(browser) == ()
    assert asked_hosts(browser) == {site.host}
    assert browser.find_element(By.TAG_NAME, "main").text


@pytest.mark.parametrize("width", [320, 360, 390])
def test_no_page_is_wider_than_the_phone(site: Site, browser: Chrome, width: int) -> None:
    """A page that can be pushed sideways feels broken, and hides half of each line."""
    screen = {"width": width, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    for path in PAGES:
        for language in ("zh", "en"):
            browser.get(site.address(f"{path}{'&' if '?' in path else '?'}lang={language}"))
            assert width_of(browser) == width, (path, language)
    browser.get(site.address("/?lang=zh"))


def test_a_film_plays(site: Site, browser: Chrome) -> None:
    """By range requests, from the box, to its end."""
    browser.get(site.address("/items/film"))
    browser.execute_script("const v = document.querySelector('video'); v.muted = true; v.play()")
    ended = "return document.querySelector('video').ended"
    WebDriverWait(browser, 20, poll_frequency=0.2).until(lambda driver: driver.execute_script(ended))


def test_a_tip_goes_from_the_form_into_the_spool(site: Site, browser: Chrome) -> None:
    """What the citizen sees as sent is on the box's disk."""
    browser.get(site.address("/tip"))
    browser.find_element(By.NAME, "text").send_keys("路口信号灯坏了")
    browser.find_element(By.CSS_SELECTOR, "form[data-tip] button").click()
    said = (By.CSS_SELECTOR, "form[data-tip] output.done")
    WebDriverWait(browser, 10, poll_frequency=0.1).until(lambda driver: driver.find_elements(*said))
    (name,) = spool.pending(site.county.config)
    command, _ = spool.read(site.county.config, name)
    assert isinstance(command, Tip)
    assert command.text == "路口信号灯坏了"


def test_the_language_is_chosen_by_a_touch_and_stays(site: Site, browser: Chrome) -> None:
    """Both ways, on the page where the reader is."""
    browser.get(site.address("/sections/shop"))
    browser.find_element(By.CSS_SELECTOR, "a[hreflang=en]").click()
    assert "/sections/shop" in browser.current_url
    browser.get(site.address("/"))
    assert browser.find_element(By.CSS_SELECTOR, ".tabs a").text == "Home"
    browser.find_element(By.CSS_SELECTOR, "a[hreflang=zh-CN]").click()
    assert browser.find_element(By.CSS_SELECTOR, ".tabs a").text == "首页"


def test_in_the_dark_no_text_is_dark(site: Site, tmp_path: Path) -> None:
    """Every text of every page keeps a contrast of at least 4.5 to what it stands on (WCAG 2.2, 1.4.3)."""
    for dark in (False, True):
        with phone(dark=dark) as driver:
            for path in ("/", "/items/long", "/tip", f"/live/{CHANNEL.id}"):
                driver.get(site.address(path))
                poor = driver.execute_script(_POOR_CONTRAST)
                assert poor == [], (dark, path)


_POOR_CONTRAST = """
const luminance = ([r, g, b]) => [r, g, b].map((value) => {
  const part = value / 255;
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
}).reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
const ground = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const colour = channels(getComputedStyle(each).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
return [...document.querySelectorAll("body *")]
  .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
  .filter((element) => element.getClientRects().length && !element.closest(".badge, .say, .away"))
  .map((element) => {
    const [one, other] = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return [contrast.toFixed(2), element.tagName, element.className, element.textContent.trim().slice(0, 20)];
  })
  .filter(([contrast]) => contrast < 4.5);
"""
