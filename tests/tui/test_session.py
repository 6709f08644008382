"""The program walked by keys, without a terminal: pages, palette, forms, who may act and what comes of it."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from appliance.core.command import Insert, Resume, Take, Untake
from appliance.core.errors import OperatorError, Text
from tests.tui.looks import screen, seen, text_of
from tests.tui.readings import AGENT_DEAD, HEALTHY, LOOKS
from tui.acting import ELEVATED_S, Acting
from tui.finding import initial
from tui.keys import KEYS
from tui.outcomes import LOOK, NOTHING, QUIT, OpenDoor, Outcome, Put
from tui.page import Page
from tui.pages import PAGES
from tui.session import Session
from tui.view.acts import Act, Case, Field, Weight
from tui.view.reading import Reading, Trouble
from tui.view.sheet import Asked, Column, Sheet, Table, TableRow

AT = "2026-11-24T06:03:00Z"
DIGEST = "sha256:" + "5" * 64


class Ticks:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def table_sheet(found: object, _reading: Reading | None, _look: object, asked: Asked) -> Sheet:
    """Three pages of four rows, searched by what is in their key."""
    if asked.opened is not None:
        return Sheet((Table((Column("opened", 0),), (), asked.opened),))
    begin = int(asked.after or 0)
    keys = [f"k{number}" for number in range(begin, begin + 4) if asked.words in f"k{number}"]
    following = str(begin + 4) if begin < 8 else ""
    return Sheet((Table((Column("", 0),), tuple(TableRow(key, (key,)) for key in keys), "-", next=following),))


ACTS = (
    Act(
        "take",
        "t",
        "Open",
        Weight.BOX,
        needs_row=True,
        preview=lambda case: (f"takes {case.row}",),
        command=lambda case: Take(item=case.row, **case.asked_by),
        undo=lambda case: Untake(item=case.row, **case.asked_by),
    ),
    Act(
        "insert",
        "i",
        "Insert",
        Weight.AIR,
        fields=lambda _case: (
            Field("channel", "channel", "choice", (("c-1", "one"), ("c-2", "two"))),
            Field("at", "at", "time"),
        ),
        preview=lambda case: (f"on {case.value('channel')}",),
        command=lambda case: Insert(channel=case.value("channel"), digest=DIGEST, **case.asked_by),
        undo=lambda case: Resume(channel=case.value("channel"), **case.asked_by),
    ),
    Act("never", "n", "Never", Weight.BOX, refusal=lambda _case: Text("现在不行", "not now")),
)
TRIAL = Page("trial", "Trial", "2", table_sheet, "", acts=ACTS)


class Walk:
    """Somebody who presses keys; `looked` answers every look at once, as a fast box would."""

    def __init__(
        self, pages: tuple[Page, ...] = (PAGES[0], TRIAL, *PAGES[1:]), reading: Reading = HEALTHY, language: str = "en"
    ) -> None:
        self.ticks = Ticks()
        self.session = Session(pages, LOOKS, language, Acting("admin", self.ticks, lambda: AT))
        self.reading = reading
        self.looked()

    def looked(self) -> None:
        page = self.session.page.name
        self.session.see(page, seen(None, self.reading, asked=self.session.asked))

    def keys(self, *keys: str) -> Outcome:
        """What came of the last one."""
        outcome: Outcome = NOTHING
        for key in keys:
            outcome = self.session.press(*_named(key), 78, 22)
            if outcome == LOOK:
                self.looked()
        return outcome

    def type(self, text: str) -> None:
        self.keys(*text)

    def elevated(self, *keys: str) -> Outcome:
        """As somebody who has said who they are before."""
        outcome = self.keys("e", "down", "enter")
        assert isinstance(outcome, OpenDoor)
        self.session.elevated(outcome)
        return self.keys(*keys)

    @property
    def shown(self) -> str:
        return "\n".join(text_of(row).rstrip() for row in screen(self.session, 80, 25))


def _named(key: str) -> tuple[str, str]:
    names = {":": "colon", "/": "slash", "?": "question_mark", " ": "space"}
    return names.get(key, key), key if len(key) == 1 else ""


def walk(**options: object) -> Walk:
    return Walk(**options)  # type: ignore[arg-type]


def test_every_page_is_reached_by_its_digit_by_the_palette_and_by_the_list_of_pages() -> None:
    """Who knows the keys is fast; who knows only a word or its initials gets there too."""
    for page in PAGES:
        if page.key:
            walked = walk(pages=PAGES)
            walked.keys(page.key)
            assert walked.session.page is page
        for look in LOOKS.values():
            walked = walk(pages=PAGES)
            walked.keys(":", *look.say(page.title), "enter")
            assert walked.session.page is page
    for number, page in enumerate(PAGES):
        walked = walk(pages=PAGES)
        walked.keys("ctrl+o", "abcdefghijklmnopqrstuvwxyz"[number])
        assert walked.session.page is page


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("words", "page"), [("tb", "sync"), ("zl", "overview"), ("同步", "sync"), ("SYN", "sync")])
def test_the_palette_finds_by_pinyin_initials_in_either_language(words: str, page: str, language: str) -> None:
    """There is no way to type Chinese at the console."""
    walked = walk(language=language)
    walked.keys(":", *words, "enter")
    assert walked.session.page.name == page


def test_every_character_of_our_titles_and_acts_has_an_initial() -> None:
    """A word with a rare character could not be asked for in pinyin."""
    said = LOOKS["zh"].say
    messages = [page.title for page in PAGES] + [act.message for page in PAGES for act in page.acts]
    chinese = {character for message in messages for character in said(message) if "一" <= character <= "鿿"}
    assert {character for character in chinese if not initial(character)} == set()


def test_a_table_is_walked_over_the_end_of_what_was_read_and_back() -> None:
    """A hundred thousand rows are never in memory, and nobody notices."""
    walked = walk()
    walked.keys("2", *["down"] * 4)
    assert ">  k4" in walked.shown
    walked.keys(*["j"] * 5)
    assert ">  k9" in walked.shown
    walked.keys("pagedown", "pagedown")
    assert ">  k11" in walked.shown
    walked.keys("pageup", "up")
    assert ">  k4" in walked.shown
    walked.keys("g")
    assert ">  k0" in walked.shown


def test_a_row_is_opened_and_left_where_it_was() -> None:
    """Enter and Esc, and the cursor is where it stood."""
    walked = walk()
    walked.keys("2", "down", "down", "enter")
    assert walked.session.asked.opened == "k2"
    walked.keys("escape")
    assert ">  k2" in walked.shown
    walked.keys("escape")
    assert walked.session.page.name == "overview"


def test_search_takes_letters_that_are_keys_elsewhere() -> None:
    """Somebody who searches for `quiz` must not quit."""
    walked = walk()
    assert walked.keys("2", "/", "q", "l", "e") == NOTHING
    walked.keys("backspace", "backspace", "backspace", "2", "enter")
    assert walked.session.asked.words == "2"
    assert ">  k2" in walked.shown
    walked.keys("escape")
    assert walked.session.asked.words == ""


def test_nothing_is_changed_before_somebody_says_who_they_are() -> None:
    """A box that is only looked at cannot be broken by a key."""
    walked = walk()
    outcome = walked.keys("2", "t")
    assert "Your name" in walked.shown
    outcome = walked.keys(*["backspace"] * 5, *"Zhang", "down", "enter")
    assert isinstance(outcome, OpenDoor)
    assert outcome.by == "Zhang (admin)"
    walked.session.elevated(outcome)
    assert "takes k0" in walked.shown
    put = walked.keys("enter")
    assert isinstance(put, Put)
    assert put.command == Take(item="k0", by="Zhang (admin)", via="tui", at=AT)


def test_ten_minutes_later_it_is_read_only_again_and_e_ends_it_at_once() -> None:
    """Who goes for tea leaves a terminal behind."""
    walked = walk()
    walked.elevated("2")
    assert "admin 10 min" in walked.shown
    walked.keys("t")
    assert "takes k0" in walked.shown
    walked.keys("escape")
    walked.ticks.s += ELEVATED_S
    walked.keys("t")
    assert "Your name" in walked.shown
    walked = walk()
    walked.elevated("2", "e", "t")
    assert "Your name" in walked.shown


def test_what_touches_the_air_wants_the_site_typed_and_a_reason() -> None:
    """No row of keys pressed by mistake breaks into a channel."""
    walked = walk()
    walked.elevated("2", "i", "right", "enter", "enter")
    assert "on c-2" in walked.shown
    assert walked.keys("enter", "enter") == NOTHING
    assert "A Reason: must be filled in" in walked.shown
    walked.type("flood")
    assert walked.keys("enter", *"zhongmu", "enter") == NOTHING
    assert "the site's id must be typed" in walked.shown
    put = walked.keys(*["backspace"] * 7, *"dengfeng", "enter")
    assert isinstance(put, Put)
    assert put.command == Insert(channel="c-2", digest=DIGEST, by="admin", via="tui", at=AT, reason="flood")


def test_enter_after_the_site_is_no_yes_while_anything_is_wrong() -> None:
    """The id is the yes of what was seen and filled in, and of nothing else: no reason, another county, a blank id."""
    for site in ("", "dengfen", "dengfengg", "zhongmu"):
        walked = walk()
        walked.elevated("2", "i", "enter", "enter", *"flood", "enter")
        assert walked.keys(*site, "enter") == NOTHING, site
        assert walked.keys("enter") == NOTHING, site
    walked = walk()
    walked.elevated("2", "i", "enter", "enter", "enter")
    assert walked.keys(*"dengfeng", "enter") == NOTHING
    assert "A Reason: must be filled in" in walked.shown


def test_a_letter_on_a_long_choice_begins_the_search_in_its_list() -> None:
    """Nobody has to know that Enter opens the list; the list says what is chosen."""
    many = tuple((str(number), f"clip {number}") for number in range(9))
    act = Act("x", "t", "X", Weight.BOX, fields=lambda _case: (Field("clip", "Clip", "choice", many),))
    walked = walk(pages=(PAGES[0], Page("trial", "Trial", "2", table_sheet, "", acts=(act,))))
    walked.elevated("2", "t", "7")
    assert ": 7_" in walked.shown
    assert walked.shown.splitlines()[1].startswith("Clip")
    walked.keys("enter")
    assert "< clip 7 >" in walked.shown


def test_escape_leaves_every_form_and_changes_nothing() -> None:
    """The key that everybody presses when in doubt."""
    walked = walk()
    for keys in (("t", "escape"), ("i", "down", "escape"), (":", "escape"), ("ctrl+o", "escape"), ("?", "escape")):
        assert walked.elevated("2", *keys) == NOTHING
        assert ">  k0" in walked.shown
        walked.session.acting.step_down()


def test_what_cannot_be_done_now_says_why() -> None:
    """A key that does nothing is pressed again and again."""
    walked = walk()
    walked.keys("2", "n")
    assert "A not now" in walked.shown


def test_a_command_is_followed_until_the_agent_is_through_with_it() -> None:
    """Also while the agent is down: then it waits, and that is said."""
    walked = walk(reading=AGENT_DEAD)
    put = walked.elevated("2", "t", "enter")
    assert isinstance(put, Put)
    acting = walked.session.acting
    walked.session.tell(acting.was_put(put, "n1", LOOKS["en"], agent_runs=False))
    assert "Open: kept; the agent does it when it is back" in walked.shown
    assert "3 waiting I" in walked.shown
    assert list(acting.followed) == ["n1"]
    walked.session.see("trial", replace(seen(None), outcomes={"n1": None}))
    assert "Open: done (u takes it back)" in walked.shown
    assert not acting.followed


def test_a_refusal_is_shown_with_its_reason() -> None:
    """The agent knows best, and says why."""
    walked = walk()
    put = walked.elevated("2", "t", "enter")
    assert isinstance(put, Put)
    walked.session.acting.was_put(put, "n1", LOOKS["en"], agent_runs=True)
    walked.session.see("trial", replace(seen(None), outcomes={"n1": Text("没有这篇", "no such item")}))
    assert "A Open: refused. no such item" in walked.shown


def test_the_last_act_is_taken_back_with_the_same_care() -> None:
    """What broke into a channel by mistake ends by one key, the same questions and the same record."""
    walked = walk()
    assert walked.elevated("2", "u") == NOTHING
    assert "nothing to take back" in walked.shown
    put = walked.keys("i", "enter", "enter", *"flood", "enter", *"dengfeng", "enter")
    assert isinstance(put, Put)
    walked.session.acting.was_put(put, "n1", LOOKS["en"], agent_runs=True)
    walked.keys("u")
    assert "Takes back: Insert" in walked.shown
    undone = walked.keys(*"wrong", "enter", *"dengfeng", "enter")
    assert isinstance(undone, Put)
    assert undone.command == Resume(channel="c-1", by="admin", via="tui", at=AT, reason="wrong")


def test_a_field_that_the_command_refuses_is_said_in_the_form() -> None:
    """What was filled in is not lost."""

    def refuses(_case: Case) -> Take:
        raise OperatorError(Text("不行", "no good"))

    page = Page("trial", "Trial", "2", table_sheet, "", acts=(Act("x", "t", "X", Weight.BOX, command=refuses),))
    walked = walk(pages=(PAGES[0], page))
    assert walked.elevated("2", "t", "enter") == NOTHING
    assert "A no good" in walked.shown


def _garbage() -> Iterator[str]:
    for key in KEYS:
        yield from (name for name in key.names if name not in ("ctrl+c", "ctrl+q", "f10", "q"))
    yield from "abcdfhimnopstvwxyz0123456789 "


@pytest.mark.parametrize("seed", range(5))
def test_no_row_of_keys_breaks_it_or_puts_a_command(seed: int) -> None:
    """A cat on the keyboard: everything can be drawn, and nothing goes to the agent."""

    keys, noise = list(_garbage()), random.Random(seed)
    walked = walk()
    for number in range(300):
        outcome = walked.keys(noise.choice(keys))
        assert not isinstance(outcome, Put)
        assert number % 10 or len(screen(walked.session, 80, 25)) == 25
    assert walked.session.press("q", "", 78, 22) in (QUIT, NOTHING)


def test_the_header_names_page_person_and_what_waits_before_the_site() -> None:
    """A title that is cut because the county has a long name tells nobody which page this is."""
    walked = walk(reading=AGENT_DEAD, language="zh")
    walked.elevated(":", *"given", "enter")
    head = walked.shown.splitlines()[0]
    assert "待执行命令" in head
    assert "admin" in head
    assert "登封市融媒体中心" not in head


def test_what_is_asked_for_during_a_look_is_looked_at_next() -> None:
    """A look that takes five seconds answers the page that was left; the one on top must not wait a round."""
    walked = walk()
    answered = seen(None)
    assert not walked.session.wants("overview", answered)
    walked.keys("3")
    assert walked.session.wants("overview", answered)
    walked.session.ask(Asked(tab="parked"))
    assert walked.session.wants("sync", answered)


def test_what_was_read_for_something_else_is_not_shown_for_it() -> None:
    """The rows of one side of a page under the heads of another would be believed."""
    walked = walk()
    walked.keys("3")
    walked.session.see("sync", seen("of the first side", asked=Asked()))
    assert walked.session.found == "of the first side"
    walked.session.ask(Asked(tab="parked"))
    assert walked.session.found is None


def test_before_a_page_was_read_and_where_it_cannot_be_it_claims_nothing() -> None:
    """ "Nothing waits" over a database that nobody could open is a lie that is believed."""
    walked = walk()
    walked.session.press("3", "3", 78, 22)
    assert "looking" in walked.shown
    assert "nothing waits" not in walked.shown
    walked.session.see("sync", seen(None, HEALTHY, Trouble(Text("数据库被占用", "the database is held"))))
    assert "the database is held" in walked.shown
    assert "nothing waits" not in walked.shown
