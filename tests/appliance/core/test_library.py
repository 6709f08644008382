"""Names for people are safe on every file system, tell files apart, and go when they must."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.library import Links, changes, entry_name, file_name, named, safe_name
from tests.appliance.core.air_box import digest

DAYS = ("2026-11-23", "2026-11-24", "2026-11-25")
PATH = "2026-11-24/ch-1/01-060000-新闻.ts"


@given(title=st.text(max_size=300))
def test_any_title_makes_a_name_that_can_stand(title: str) -> None:
    """Titles are written by anybody, and a name is read by shells, by Windows and by people."""
    for name in (entry_name(7, 12, "19:00:00", title), file_name("垫片", digest(1), title)):
        file = f"{name}.ts"
        assert len(f"{name}-12345678.ts".encode()) <= 255
        assert not set(file) & set('/\\:*?"<>|\0\n\r\t')
        assert all(unicodedata.category(each)[0] != "C" for each in file)
        assert file[0] not in ".- " and name == name.strip()
    assert entry_name(7, 12, "19:00:00", title).startswith("07-190000-")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("-rf", "rf"),
        ("第1集：开端/上", "第1集：开端_上"),
        ("", "无题"),
        ("…\u202e…", "……"),
        ("字" * 300, "字" * 26),
    ],
)
def test_names_of_titles(title: str, expected: str) -> None:
    """Cut at a character, never within one."""
    assert safe_name(title, 80) == expected


def test_two_files_of_one_name_are_told_apart() -> None:
    """A new cut of the same film must not hide the old one that still plays today."""
    found = named([("01-a", digest(1)), ("01-a", digest(2)), ("02-b", digest(3))])
    assert len(set(found.values())) == 3


def test_what_is_not_wanted_stays_until_its_day_is_over() -> None:
    """An engine read the list a minute ago; but what was recalled goes at once, and what is another's never."""
    there = {PATH: digest(1), "2026-11-20/ch-1/old.ts": digest(2), "mine.txt": None}
    assert changes({}, there, DAYS, ()) == Links((), ("2026-11-20/ch-1/old.ts",))
    assert changes({}, there, DAYS, {digest(1)}).remove == ("2026-11-20/ch-1/old.ts", PATH)
    assert changes({"mine.txt": digest(1)}, there, DAYS, ()).make == ()
    assert changes({PATH: digest(1)}, {PATH: digest(1)}, DAYS, ()) == Links()
    assert changes({PATH: digest(9)}, {PATH: digest(1)}, DAYS, ()) == Links(((PATH, digest(9)),), (PATH,))
