"""Figures as people read them: units, ages, the site's own time."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.errors import Text
from appliance.core.moment import US, to_us
from tui.catalogue import looks

ZH, EN = looks(ZoneInfo("Asia/Shanghai")).values()
PLAIN = looks(ZoneInfo("Asia/Shanghai"), ("en",), plain=True)["en"]
NOW_US = to_us("2026-11-24T06:03:00Z")


def test_moments_are_shown_in_the_time_of_the_site() -> None:
    """A technician in Henan reads a clock of Henan, and sees when another day is meant."""
    assert EN.clock(NOW_US, NOW_US) == "14:03"
    assert EN.clock(to_us("2026-11-24T16:30:00Z"), NOW_US) == "11-25 00:30"
    assert EN.day_and_clock(NOW_US) == "2026-11-24 14:03 CST"


@pytest.mark.parametrize(
    ("age_s", "en", "zh"),
    [
        (-5, "just now", "刚才"),
        (9, "just now", "刚才"),
        (47, "40 s ago", "40 秒前"),
        (61, "1 min ago", "1 分钟前"),
        (3 * 3600, "3 h ago", "3 小时前"),
        (3 * 3600 + 1200, "3 h 20 min ago", "3 小时 20 分前"),
        (50 * 3600, "2 d 2 h ago", "2 天 2 小时前"),
    ],
)
def test_ages_have_a_unit_and_no_more_figures_than_one_reads(age_s: int, en: str, zh: str) -> None:
    """How old a figure is decides whether it can be trusted."""
    at_us = NOW_US - age_s * US
    assert (EN.ago(at_us, NOW_US), ZH.ago(at_us, NOW_US)) == (en, zh)


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_960, "10 kB"), (640_000, "640 kB"), (999_700_000, "1.0 GB")],
)
def test_sizes_have_decimal_units(size_bytes: int, shown: str) -> None:
    """The figure on the disk's label and the figure on the screen are the same kind."""
    assert EN.size(size_bytes) == shown


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_no_clock_is_too_wrong_to_be_shown(at_us: int, now_us: int) -> None:
    """A machine whose battery died believes in 1970 or in the year 9000; the screen starts all the same."""
    for look in (ZH, EN, PLAIN):
        look.clock(at_us, now_us), look.day_and_clock(at_us), look.ago(at_us, now_us)


def test_data_in_a_language_the_console_cannot_draw_is_shown_by_its_id() -> None:
    """A row of question marks tells nobody which programme is on the air."""
    assert PLAIN.data("早间新闻", "e1") == "e1"
    assert PLAIN.of(Text("早间新闻", "Morning news")) == "Morning news"
    assert ZH.of(Text("早间新闻", "Morning news")) == "早间新闻"
