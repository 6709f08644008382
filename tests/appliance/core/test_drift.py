"""What was changed by hand is found, told in one sentence in both languages, and nothing else is."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.drift import Drift, Entry, Seen, Unit, adopted, changed_files, differences

CHRONY, LINK = "/etc/chrony/chrony.conf", "/etc/systemd/system/songshan-agent.service"
FILE = Entry(sha256="a" * 64, mode=0o644, owner="root:root")
MADE = Seen(
    entries={CHRONY: FILE, LINK: Entry(target="/opt/songshan/current/share/songshan/systemd/songshan-agent.service")},
    units={"songshan-agent.service": Unit("enabled", "active", "success")},
    packages=("chrony", "ffmpeg"),
    firewall="f" * 64,
)


def told(now: Seen, before: str = "", after: str = "") -> tuple[Drift, ...]:
    return differences(MADE, now, {CHRONY: (before, after)}, {CHRONY: "11-26 14:03"})


def with_entries(**entries: Entry | None) -> Seen:
    changed = {**MADE.entries, **entries}
    return Seen({path: each for path, each in changed.items() if each}, MADE.units, MADE.packages, MADE.firewall)


def with_unit(enabled: str, active: str, result: str = "success") -> Seen:
    return Seen(MADE.entries, {"songshan-agent.service": Unit(enabled, active, result)}, MADE.packages, MADE.firewall)


@dataclass(frozen=True)
class Hand:
    """What somebody did, and what is to be said of it."""

    now: Seen
    kind: str
    zh: str
    en: str


HANDS = [
    Hand(with_entries(**{CHRONY: None}), "gone", "被删除", "was removed"),
    Hand(with_entries(**{"/etc/x.conf": FILE}), "added", "被手工添加", "was added by hand"),
    Hand(with_entries(**{CHRONY: Entry("a" * 64, "", 0o666, "root:root")}), "rights", "0666", "0666"),
    Hand(with_entries(**{LINK: Entry(target="/tmp/agent.service")}), "link", "应指向", "should lead to"),
    Hand(with_entries(**{LINK: FILE}), "link", "应指向", "should lead to"),
    Hand(with_unit("disabled", "active"), "off", "开机自启", "next boot"),
    Hand(with_unit("masked", "active"), "masked", "屏蔽", "masked"),
    Hand(with_unit("enabled", "inactive"), "stopped", "停掉", "stopped"),
    Hand(Seen(MADE.entries, MADE.units, ("ffmpeg",), MADE.firewall), "package", "chrony", "chrony"),
    Hand(Seen(MADE.entries, MADE.units, MADE.packages, "0" * 64), "firewall", "防火墙", "firewall"),
]


@pytest.mark.parametrize("hand", HANDS, ids=lambda hand: hand.kind)
def test_each_change_by_hand_has_one_sentence(hand: Hand) -> None:
    """In both languages, with the name of what it is about; one line, so that a list of them can be read."""
    (drift,) = told(hand.now)
    assert drift.kind == hand.kind
    assert hand.zh in drift.text.zh and hand.en in drift.text.en
    assert drift.kind == "firewall" or (drift.what in drift.text.zh and drift.what in drift.text.en)
    assert "\n" not in drift.text.zh + drift.text.en and re.search("[一-龥]", drift.text.zh)


@pytest.mark.parametrize(
    ("before", "after", "zh", "en"),
    [
        ("a\nserver x\n", "a\nserver y\n", "第 2 行“server x”改成“server y”", "line 2, “server x” became “server y”"),
        ("a\n", "a\nserver y\n", "第 2 行加了“server y”", "line 2, “server y” was put in"),
        ("a\nserver x\n", "a\n", "第 2 行去掉了“server x”", "line 2, “server x” was taken out"),
        ("a\n", "a" * 200 + "\x1b[31m\n", "a" * 60 + "…", "a" * 60 + "…"),
        ("", "", "于 11-26 14:03 被手工改过", "changed by hand at 11-26 14:03"),
    ],
)
def test_a_changed_file_is_told_by_its_first_changed_line(before: str, after: str, zh: str, en: str) -> None:
    """With the time; shortened, and without anything that moves a cursor."""
    now = with_entries(**{CHRONY: Entry("b" * 64, "", 0o644, "root:root")})
    assert changed_files(MADE, now) == (CHRONY,)
    (drift,) = told(now, before, after)
    assert (drift.kind, drift.can_adopt) == ("changed", True)
    assert zh in drift.text.zh and en in drift.text.en and "\x1b" not in drift.text.zh


def test_what_the_machine_does_by_itself_is_nobodys_hand() -> None:
    """A service that failed or is just being started again is an incident; a package more is an update."""
    for now in (with_unit("enabled", "failed", "exit-code"), with_unit("enabled", "activating"), MADE):
        assert told(now) == ()
    more = Seen(MADE.entries, MADE.units, (*MADE.packages, "tzdata"), MADE.firewall)
    assert told(more) == ()


HASHES, TARGETS = st.sampled_from(["", "a" * 64]), st.sampled_from(["", "/x"])
ENTRIES = st.builds(Entry, HASHES, TARGETS, st.integers(0, 0o777), st.text())
UNITS = st.builds(Unit, *(st.sampled_from([each, "active", "inactive"]) for each in ("enabled", "failed", "success")))
SEEN = st.builds(
    Seen,
    st.dictionaries(st.text(min_size=1), ENTRIES, max_size=5),
    st.dictionaries(st.text(min_size=1), UNITS, max_size=5),
    st.lists(st.text(min_size=1)).map(tuple),
    st.text(),
)


@given(SEEN)
def test_what_is_as_it_was_is_never_a_change(seen: Seen) -> None:
    """Whatever there is: a box looked at twice has no drift. One false alarm, and nobody reads the next."""
    assert differences(seen, seen, {}, {}) == ()


def test_what_a_person_has_accepted_is_told_no_more_and_all_else_is() -> None:
    """Else drift.yml would be red for ever for what is meant to be so, and nobody would look at it any more."""
    changed, added = Entry("b" * 64, "", 0o644, "root:root"), "/etc/chrony/conf.d/gps.conf"
    now = with_entries(**{CHRONY: changed, added: FILE, LINK: None})
    found = differences(MADE, now, {}, {})
    assert {each.what for each in found if each.can_adopt} == {CHRONY, added}
    left = differences(adopted(MADE, now, [CHRONY, added]), now, {}, {})
    assert [(each.kind, each.what) for each in left] == [("gone", LINK)]
    again = with_entries(**{CHRONY: FILE, added: FILE, LINK: None})
    later = differences(adopted(MADE, now, [CHRONY]), again, {}, {})
    assert [(each.kind, each.what) for each in later] == [("changed", CHRONY), ("added", added), ("gone", LINK)]
