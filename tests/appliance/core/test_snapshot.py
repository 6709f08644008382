"""What is in force, and whose word it is."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from appliance.core import records, snapshot
from appliance.core.item import Item
from appliance.core.journal import Broken, Position, Record, append, genesis, parse_record, position_after
from appliance.core.judge import Verdict
from appliance.core.moment import US, to_text
from appliance.core.snapshot import Gauge, InForce, judge_snapshot, parse_statement, sign_statement

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOW_US = 1_795_500_000_000_000
DAY_US = 86_400 * US
NAME = "dengfeng/control"


def chain(stream: str, *said: tuple[str, str, records.Body | bytes], at_us: int = NOW_US) -> list[Record]:
    found, last = [], genesis(stream)
    for kind, key, body in said:
        record = append(last, kind, key, body if isinstance(body, bytes) else records.encode(body), at_us)
        found.append(record)
        last = position_after(record)
    return found


def in_force(lines: list[Record], recalled: dict[str, str] | None = None) -> list[int]:
    found = InForce(NOW_US, recalled or {})
    for record in lines:
        found.feed(record)
    return sorted(seq for _epoch, seq in found.places())


def moment(days: float) -> str:
    return to_text(NOW_US + round(days * DAY_US))


def story(name: str, created_at: str = moment(-5)) -> Item:
    return Item(name, "题", "news", "hub", created_at)


def insertion(name: str, not_after: str, until: str | None = None) -> records.Insert:
    from tests.appliance.boxes import asset

    return records.Insert(name, "dengfeng-1", asset("a"), not_after, until=until)


def test_of_what_is_replaced_the_last_counts() -> None:
    """By kind and key; an offer and an item of one id are two things."""
    lines = chain(
        "all/content",
        ("offer", "a", story("a")),
        ("item", "a", story("a")),
        ("offer", "a", story("a")),
        ("offer", "b", story("b")),
        ("filler", "c", records.Filler("c", ())),
        ("filler", "c", records.Filler("c", ())),
    )
    assert in_force(lines) == [2, 3, 4, 6]


def test_what_takes_something_away_counts_for_ever() -> None:
    """A box may come back with anything, after any time."""
    lines = chain(
        NAME,
        ("recall", "a", records.Recall("a", "x", moment(-3000))),
        ("redact", "k", records.Redact("dengfeng/content", 1, 1, "x", moment(-3000))),
        ("redact", "k", records.Redact("dengfeng/content", 1, 2, "x", moment(-3000))),
        ("recall", "a", records.Recall("a", "x", moment(-2000))),
        ("redact", "k", records.Redact("dengfeng/content", 1, 1, "x", moment(-3000), "e" * 64)),
        ("redact", "k", records.Redact("dengfeng/content", 1, 1, "x", moment(-3000), "f" * 64)),
        at_us=NOW_US - 3000 * DAY_US,
    )
    assert in_force(lines) == [2, 3, 4, 5, 6]


def test_what_was_recalled_is_left_out_unless_it_was_made_anew() -> None:
    """The recall itself stands in a control stream and stays."""
    lines = chain("all/content", ("item", "a", story("a", moment(-5))), ("item", "b", story("b", moment(-1))))
    assert in_force(lines, {"a": moment(-2), "b": moment(-2)}) == [2]


def test_what_time_has_passed_over_is_left_out() -> None:
    """A break-in of last week does not air, nor does its end stop one of today."""
    early = chain(
        NAME,
        ("insert", "over", insertion("over", moment(-2))),
        ("insert", "coming", insertion("coming", moment(-2), until=moment(1))),
        ("insert", "stopped", insertion("stopped", moment(1))),
    )
    assert in_force(early) == [2, 3]
    assert in_force([*early, *_behind(early, ("resume", "dengfeng-1", records.Resume("dengfeng-1")))]) == [4]
    old = _behind(early, ("resume", "dengfeng-1", records.Resume("dengfeng-1")), at_us=NOW_US - 2 * DAY_US)
    assert in_force([*early, *old]) == []


@pytest.mark.parametrize(("days", "counts"), [(-10, False), (-4, False), (-1, True), (0, True), (5, True)])
def test_schedules_count_from_yesterday_on(days: int, counts: bool) -> None:
    """In whatever zone the site is, and each day by itself."""
    body = b'{"channel":"dengfeng-1","date":"%b","version":1,"document":{}}' % moment(days)[:10].encode()
    lines = chain("dengfeng/content", ("schedule", "dengfeng-1", body))
    assert in_force(lines) == ([1] if counts else [])


def test_what_this_software_does_not_understand_is_kept_and_what_was_redacted_is_not() -> None:
    """Newer software may know what it is."""
    lines = chain(NAME, ("rotate-2030", "k", b'{"a":1}'), ("rotate-2030", "k", b'{"a":2}'), ("order", "o", b'{"x":1}'))
    gone = parse_record(*_pair(_behind(lines, ("order", "o2", records.Order("o2", "x")))[0]))
    assert in_force([*lines, gone]) == [1, 2, 3]


@pytest.mark.parametrize("kind", ["item", "offer"])
def test_of_a_story_whose_last_version_was_redacted_nothing_counts(kind: str) -> None:
    """A new box must not show what the others let go."""
    lines = chain("all/content", (kind, "i1", story("i1")), (kind, "i1", story("i1")))
    blank = parse_record(lines[-1].header_bytes, None)
    assert in_force([*lines[:-1], blank]) == []
    assert in_force([*lines[:-1], blank, *_behind(lines, (kind, "i1", story("i1")))]) == [3]


def test_a_statement_is_read_as_it_was_signed_and_by_its_key_alone() -> None:
    """A checkpoint's signature on the same bytes is none: each has its prefix."""
    place = Position(NAME, 1, 9, "a" * 64)
    made = sign_statement(place, "b" * 64, 100, 3, NOW_US, KEY)
    assert (made.position, made.digest, made.size_bytes, made.records, made.at_us) == (place, "b" * 64, 100, 3, NOW_US)
    assert snapshot.parse_statement_text(*snapshot.statement_text(made)) == made
    assert snapshot.is_signed_by(made, KEY.public_key())
    assert not snapshot.is_signed_by(made, Ed25519PrivateKey.generate().public_key())
    other = parse_statement(made.payload, KEY.sign(b"songshan-checkpoint-v1\n" + made.payload))
    assert not snapshot.is_signed_by(other, KEY.public_key())


@given(st.binary(max_size=300))
def test_whatever_comes_as_a_statement_is_one_or_broken(payload: bytes) -> None:
    """It comes over the line."""
    with pytest.raises(Broken):
        parse_statement(payload, b"")


@pytest.mark.parametrize(
    ("last", "verdict"),
    [
        (genesis(NAME), Verdict.ACCEPTED),
        (Position(NAME, 1, 8, "c" * 64), Verdict.ACCEPTED),
        (Position(NAME, 1, 9, "a" * 64), Verdict.DUPLICATE),
        (Position(NAME, 1, 10, "c" * 64), Verdict.STALE),
        (Position(NAME, 2, 1, "c" * 64), Verdict.STALE),
        (genesis("all/control"), Verdict.BROKEN),
    ],
)
def test_a_reader_takes_a_snapshot_only_forwards(last: Position, verdict: Verdict) -> None:
    """And only of the stream that it is about."""
    made = sign_statement(Position(NAME, 1, 9, "a" * 64), "b" * 64, 100, 3, NOW_US, KEY)
    assert judge_snapshot(last, made, KEY.public_key())[0] is verdict
    stranger = Ed25519PrivateKey.generate().public_key()
    assert judge_snapshot(last, made, stranger)[0] is Verdict.BROKEN


def test_only_the_very_records_fit() -> None:
    """One less, one more, another order, one from beyond the place: none of these is the snapshot."""
    lines = chain(NAME, *(("order", f"o{number}", records.Order(f"o{number}", "x")) for number in range(5)))
    whole = snapshot.gauge_of(lines[:4])
    made = sign_statement(position_after(lines[3]), whole.digest, whole.size_bytes, whole.records, NOW_US, KEY)
    assert whole.fits(made)
    redacted = [parse_record(line.header_bytes, None) for line in lines[:4]]
    assert snapshot.gauge_of(redacted).fits(made)
    for other in (lines[:3], lines, [lines[1], lines[0], *lines[2:4]], [*lines[:3], lines[4]], [*lines[:4], lines[3]]):
        assert not snapshot.gauge_of(other).fits(made)
    assert not Gauge().fits(made)


def _behind(lines: list[Record], *said: tuple[str, str, records.Body], at_us: int = NOW_US) -> list[Record]:
    kind, key, body = said[0]
    return [append(position_after(lines[-1]), kind, key, records.encode(body), at_us)]


def _pair(record: Record) -> tuple[bytes, None]:
    return record.header_bytes, None
