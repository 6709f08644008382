"""The row of a county: worst first, away is normal, and nothing that a box says can break it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from appliance.core import moment
from appliance.core.moment import US
from provisioning.fleet.core.hub import Fleet, Watching, has_line, judged
from provisioning.fleet.core.row import RANK, Row, plain
from provisioning.fleet.core.table import cells_of, plainly, table
from provisioning.fleet.core.words import level_of, span, version_of
from provisioning.fleet.gather import gather
from tests.provisioning.fleet.counties import AT_US, NAMES, Counties


def look(made: Counties, **limits: float) -> Fleet:
    return gather(made.folder, Watching(**limits))  # type: ignore[arg-type]


def row_of(fleet: Fleet, site: str) -> Row:
    return next(row for row in fleet.sites if row.site == site)


def test_the_worst_stands_first_and_each_has_its_row(sixteen: Counties) -> None:
    """Who opens the page at night sees at the top what cannot wait."""
    fleet = look(sixteen)
    assert [row.site for row in fleet.sites][:2] == ["dengfeng", "gongyi"]
    assert {row.site for row in fleet.sites} == set(NAMES)
    ranks = [RANK[row.level] for row in fleet.sites]
    assert ranks == sorted(ranks)
    assert row_of(fleet, "zhongmu").level == "ok"


def test_what_is_away_or_was_never_heard_is_normal(sixteen: Counties) -> None:
    """Sixteen counties with sixteen lines: a page that is red for each of them is a page that nobody reads."""
    fleet = look(sixteen)
    assert {site: row_of(fleet, site).level for site in ("huiji", "hangkonggang", "jingkai", "zhengdong")} == {
        "huiji": "info", "hangkonggang": "info", "jingkai": "info", "zhengdong": "info",
    }  # fmt: skip
    shown = {site: level_of(row_of(fleet, site)).zh for site in ("huiji", "hangkonggang", "jingkai", "zhengdong")}
    assert shown == {"huiji": "离线", "hangkonggang": "未见", "jingkai": "已邀请", "zhengdong": "待批准"}


def test_a_county_that_is_away_for_longer_than_the_config_says_is_amber(sixteen: Counties) -> None:
    """After an hour somebody should ring."""
    told = row_of(look(sixteen), "shangjie")
    assert (told.level, [alarm.id for alarm in told.alarms]) == ("amber", ["hub:quiet"])
    assert row_of(look(sixteen, quiet_after_s=10 * 86_400.0), "shangjie").level == "info"
    # And not before the watch itself was there to see it.
    assert row_of(look(sixteen, away_from_us=AT_US - 60 * US), "shangjie").level == "info"


def test_a_session_that_says_nothing_is_amber(sixteen: Counties) -> None:
    """A box whose agent hangs holds its session open for a long time."""
    sixteen.say("zhongmu", ago_s=400)
    assert [alarm.id for alarm in row_of(look(sixteen), "zhongmu").alarms] == ["hub:silent"]


def test_all_away_at_once_is_the_hubs_own_line(sixteen: Counties) -> None:
    """Sixteen telephones would ring, and the fault is in this room."""
    for site in list(sixteen.held):
        sixteen.leave(site)
    sixteen.clock.us += 7200 * US
    fleet = look(sixteen)
    assert [alarm.id for alarm in fleet.hub.alarms if alarm.severity == "red"] == ["hub:line"]
    assert not [row.site for row in fleet.sites if any(alarm.id == "hub:quiet" for alarm in row.alarms)]
    # One of them is there: it is not the line.
    sixteen.connect("zhongmu")
    assert "hub:line" not in [alarm.id for alarm in look(sixteen).hub.alarms]
    assert row_of(look(sixteen), "xinmi").level == "amber"


def test_two_counties_that_are_away_say_nothing_of_the_hubs_line() -> None:
    """They may both have the same bad weather."""
    away = Row(site="a", name="a", state="approved", link="away", heard_at=moment.to_text(0), sync_age_s=600.0)
    assert has_line([away, away], Watching(), 600 * US)
    assert not has_line([away, away, away], Watching(), 600 * US)
    assert has_line([away, away, away], Watching(), 60 * US), "a hub that has just lost them waits a little"


def test_one_strange_file_costs_one_row(sixteen: Counties) -> None:
    """The other fifteen are still to be seen."""
    sixteen.folder.site("xinzheng").status.write_text("{")
    fleet = look(sixteen)
    assert len(fleet.sites) == len(NAMES)
    assert [alarm.id for alarm in row_of(fleet, "xinzheng").alarms] == ["hub:unreadable"]


def test_an_upgrade_is_seen_in_the_row(sixteen: Counties) -> None:
    """Who upgrades sixteen boxes looks at this column."""
    fleet = look(sixteen)
    assert version_of(row_of(fleet, "erqi")).en == "0.4.1 (on trial 0.4.2)"
    assert version_of(row_of(fleet, "gongyi")).zh == "0.4.1（已回退 0.4.2）"
    assert version_of(row_of(fleet, "zhongmu")).en == "0.4.1"


def test_files_that_wait_are_counted_against_what_may(sixteen: Counties) -> None:
    """A county that fills its quota cannot send any more."""
    for number in range(60):
        (sixteen.folder.site("zhongmu").incoming / f"{number:064x}").write_bytes(b"12345")
    told = row_of(look(sixteen), "zhongmu")
    assert (told.uploads, told.uploads_max, told.waiting_bytes, told.level) == (60, 64, 300, "amber")


@given(st.text(), st.integers(1, 50))
def test_no_text_moves_a_cursor_or_ends_a_header(text: str, chars_max: int) -> None:
    """It goes to terminals, into mails and pages."""
    shown = plain(text, chars_max)
    assert len(shown) <= chars_max
    assert shown.isprintable() or all(each.isprintable() or each == "\u3000" for each in shown)


def test_what_turns_the_writing_around_is_left_out() -> None:
    """A title must not show another's alarm."""
    assert plain("早\u202e间\x1b[2J新\r\nBcc: a@b") == "早间[2J新 Bcc: a@b"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
WORDS = (
    "id",
    "severity",
    "text",
    "hint",
    "since",
    "zh",
    "en",
    "last",
    "free_bytes",
    "channel",
    "title",
    "state",
    "new",
)
told_values = st.dictionaries(st.sampled_from(WORDS), json_values, max_size=4)
KEYS = ("on_air", "alarms", "clock", "storage", "coming", "version", "sync", "backup", "release")
statuses = st.dictionaries(st.sampled_from(KEYS), json_values | told_values | st.lists(told_values, max_size=3))


@given(statuses)
def test_whatever_a_box_says_has_a_row_in_every_form(status: dict[str, object]) -> None:
    """One strange box must not hide the other fifteen, on no screen."""
    from appliance.config import ChannelConfig
    from provisioning.fleet.core.county_page import county_page
    from provisioning.fleet.core.hub import Hub
    from provisioning.fleet.core.page import fleet_page
    from provisioning.fleet.core.row import row
    from provisioning.hub.sites import Site
    from provisioning.hub.status import Said

    site = Site(
        "dengfeng", "登封", "No/Zone", (ChannelConfig("dengfeng-1", "登封"),), "approved", "2026-01-01T00:00:00Z"
    )
    shown = judged(row(site, Said("2026-11-24T00:00:00Z", status), True, AT_US), Watching(), AT_US)
    fleet = Fleet(generated_at=moment.to_text(AT_US), hub=Hub(id="h", version="1"), sites=(shown,))
    assert msgspec.json.encode(fleet)
    for language in ("zh", "en"):
        assert len(list(table(fleet, language))) >= 2 and list(plainly(fleet, language))
        assert "dengfeng" in fleet_page(fleet, language)
        assert "dengfeng" in county_page(shown, (), "h", fleet.generated_at, language)


def test_columns_stand_under_their_heads_where_chinese_takes_two_cells(sixteen: Counties) -> None:
    """A table that is pushed about cannot be read."""
    fleet = look(sixteen)
    head, *lines = table(fleet, "zh")
    at = cells_of(head[: head.index("线路")])
    rows = [line for line in lines if not line.startswith((" ", "嵩山云"))]
    assert len(rows) == len(NAMES)
    for line in rows:
        before = next(part for part in range(len(line)) if cells_of(line[:part]) >= at)
        assert cells_of(line[:before]) == at and line[before - 1] == " " and line[before] != " ", line


def test_the_same_facts_stand_in_numbered_lines(sixteen: Counties) -> None:
    """For a serial line, and for who has it read out."""
    lines = list(plainly(look(sixteen), "en"))
    assert lines[0].startswith("1. LEVEL RED, COUNTY dengfeng, LINK connected")
    assert any("to do: change the schedule now" in line for line in lines)
    assert sorted({int(line.partition(".")[0]) for line in lines}) == list(range(1, len(NAMES) + 1))


def test_an_age_is_told_in_the_unit_that_one_would_say() -> None:
    """Nobody reads 259200 s."""
    assert [span(seconds).zh for seconds in (5, 130, 7300, 300_000)] == ["5 秒", "2 分钟", "2 小时", "3 天"]
