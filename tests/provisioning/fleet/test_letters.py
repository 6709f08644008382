"""Letters wait, are tried, rest, arrive or are given up; none is lost unseen."""

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.moment import US
from provisioning.fleet.core.letters import (
    GIVE_UP_S,
    LETTERS_MAX,
    PAUSE_S_MAX,
    Book,
    Way,
    delivered,
    due,
    pause_us,
    posted,
    refused,
    settled,
    unreached,
)
from provisioning.fleet.core.telling import Message, trial

AT_US = 1_790_000_000 * US
BOTH: dict[Way, tuple[str, ...]] = {"mail": ("a@example.cn", "b@example.cn"), "webhook": ()}


def message(number: int = 0) -> Message:
    return trial("hub", AT_US + number)


def test_a_message_waits_on_every_way_until_it_has_arrived() -> None:
    """The one that works does not wait for the other."""
    book = posted(Book(), message(), BOTH)
    first = due(book, AT_US)
    assert first is not None and first.way == "mail"
    book = unreached(book, first, "down", AT_US)
    second = due(book, AT_US)
    assert second is not None and second.way == "webhook"
    book = delivered(book, second)
    assert due(book, AT_US) is None
    later = due(book, AT_US + 30 * US)
    assert later is not None and later.way == "mail"
    assert delivered(book, later).letters == ()


def test_a_way_that_is_down_is_asked_ever_less_often() -> None:
    """And never less than once an hour."""
    pauses = [pause_us(tries) / US for tries in range(1, 40)]
    assert pauses[:4] == [30, 60, 120, 240]
    assert pauses == sorted(pauses) and pauses[-1] == PAUSE_S_MAX


def test_a_letter_that_is_refused_does_not_hold_up_the_next() -> None:
    """One mailbox that is full."""
    book = posted(posted(Book(), message(0), {"mail": BOTH["mail"]}), message(1), {"mail": BOTH["mail"]})
    first = due(book, AT_US)
    assert first is not None
    book = refused(book, first, "550 no such mailbox", AT_US, ("b@example.cn",))
    second = due(book, AT_US)
    assert second is not None and second.message == message(1)
    book = delivered(book, second)
    [left] = book.letters
    assert (left.to, left.tries) == (("b@example.cn",), 1)
    assert due(book, AT_US) is None and due(book, AT_US + 30 * US) == left


def test_what_is_given_up_is_counted() -> None:
    """A relay that is away for a week: the page says what did not get out."""
    book = posted(Book(), message(), BOTH)
    book = settled(book, BOTH, AT_US + round(GIVE_UP_S * US) + US)
    assert (book.letters, book.way("mail").lost, book.way("webhook").lost) == ((), 1, 1)


def test_too_many_are_bounded_and_counted() -> None:
    """The oldest go: what is new is news."""
    book = Book()
    for number in range(LETTERS_MAX + 5):
        book = posted(book, message(number), {"webhook": ()})
    assert (len(book.letters), book.way("webhook").lost) == (LETTERS_MAX, 5)
    assert book.letters[0].message == message(5)


def test_a_way_that_is_configured_no_more_keeps_nothing() -> None:
    """Its letters have nowhere to go."""
    book = settled(posted(Book(), message(), BOTH), {"webhook": ()}, AT_US)
    assert [letter.way for letter in book.letters] == ["webhook"]
    assert [way.way for way in book.ways] == ["webhook"]


def test_a_clock_that_goes_back_puts_nothing_off() -> None:
    """Whoever was in 2037 must not wait till then."""
    book = posted(Book(), message(), {"webhook": ()})
    letter = due(book, AT_US)
    assert letter is not None
    book = settled(unreached(book, letter, "down", AT_US + 10**15), {"webhook": ()}, AT_US)
    assert due(book, AT_US + round(PAUSE_S_MAX * US)) == letter


outcomes = st.sampled_from(["arrives", "refused", "unreached"])


@settings(max_examples=100)
@given(st.lists(st.tuples(outcomes, st.integers(1, 4000)), max_size=60))
def test_each_letter_arrives_once_or_waits_or_was_counted(steps: list[tuple[str, int]]) -> None:
    """Whatever relay and network do."""
    book, now_us, sent = Book(), AT_US, 0
    arrived: list[tuple[str, str]] = []
    for number, (outcome, after_s) in enumerate(steps):
        now_us += after_s * US
        book = settled(book, BOTH, now_us)
        if number % 3 == 0:
            book = posted(book, trial("hub", now_us), BOTH)
            sent += 2
        letter = due(book, now_us)
        if letter is None:
            continue
        if outcome == "arrives":
            book = delivered(book, letter)
            arrived.append((letter.message.id, letter.way))
        elif outcome == "refused":
            book = refused(book, letter, "no", now_us, letter.to)
        else:
            book = unreached(book, letter, "down", now_us)
    assert len(set(arrived)) == len(arrived)
    assert len(arrived) + len(book.letters) + sum(way.lost for way in book.ways) == sent
    assert sum(way.sent for way in book.ways) == len(arrived)
