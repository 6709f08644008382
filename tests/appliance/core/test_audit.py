"""The auditor: whatever is done to a journal behind its writer's back is found, from the keys alone."""

import hashlib
from collections.abc import Callable, Sequence

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core import journal, records
from appliance.core.audit import PROBLEMS_MAX, Audited, Auditor, Redactions
from appliance.core.journal import Checkpoint, Position, sign_checkpoint
from tests.journals import AT, BEGAN_US, chain, reports

NAME = "dengfeng/report"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
COUNT = 40
Pair = tuple[bytes, bytes | None]
WHOLE: list[Pair] = [(line.header, line.body) for line in chain(NAME, reports(COUNT))]
HEAD = Position(NAME, 1, COUNT, hashlib.sha256(WHOLE[-1][0]).hexdigest())
SIGNED = sign_checkpoint(HEAD, BEGAN_US, BEGAN_US + 1, KEY)


def audit(pairs: Sequence[Pair], signed: Checkpoint | None = SIGNED) -> Audited:
    auditor = Auditor(NAME, (KEY.public_key(),), signed)
    for header, body in pairs:
        auditor.feed(header, body)
    found = auditor.finish()
    unaccounted = Redactions().unaccounted(auditor.missing)
    return msgspec.structs.replace(found, problems=(*found.problems, *unaccounted))


def is_clean(found: Audited) -> bool:
    """Records that nobody signed are told too, and are for whoever asks to judge."""
    return not found.problems and not found.unsigned


def test_a_whole_journal_is_clean() -> None:
    """Otherwise the tests below would prove nothing."""
    found = audit(WHOLE)
    assert is_clean(found)
    assert (found.records, found.seq, found.head) == (COUNT, COUNT, HEAD.head)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, COUNT - 1), st.booleans(), st.integers(min_value=0), st.integers(0, 7))
def test_every_flipped_bit_is_found(number: int, in_header: bool, at: int, bit: int) -> None:
    """In a header or in a body, wherever it is."""
    header, body = WHOLE[number]
    assert body is not None
    line = bytearray(header if in_header else body)
    line[at % len(line)] ^= 1 << bit
    changed = (bytes(line), body) if in_header else (header, bytes(line))
    assert not is_clean(audit([*WHOLE[:number], changed, *WHOLE[number + 1 :]]))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, COUNT - 1), st.integers(1, COUNT))
def test_dropped_records_are_found(first: int, count: int) -> None:
    """From the middle, from the beginning, and from the end, where only the signature tells."""
    assert not is_clean(audit([*WHOLE[:first], *WHOLE[first + count :]]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, COUNT - 1), min_size=2, max_size=2, unique=True))
def test_swapped_records_are_found(pair: list[int]) -> None:
    """Order is what the chain says, never the clock."""
    one, other = pair
    changed = list(WHOLE)
    changed[one], changed[other] = changed[other], changed[one]
    assert not is_clean(audit(changed))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, COUNT), st.integers(0, COUNT - 1))
def test_a_record_put_in_twice_is_found(at: int, which: int) -> None:
    """Also at the end, behind what was signed."""
    assert not is_clean(audit([*WHOLE[:at], WHOLE[which], *WHOLE[at:]]))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, COUNT))
def test_a_forged_record_that_fits_the_chain_is_found(at: int) -> None:
    """Whoever can write the file can chain; only the writer can sign."""
    last = journal.genesis(NAME) if at == 0 else journal.position_after(journal.parse_record(*WHOLE[at - 1]))
    forged = journal.append(last, "tip", "t", records.encode(records.Tip("t", "x", AT)), BEGAN_US)
    rest, last = list[Pair](), journal.position_after(forged)
    for header, body in WHOLE[at:]:
        assert body is not None
        told = journal.parse_record(header, body).header
        record = journal.append(last, told.kind, told.key, body, BEGAN_US)
        rest.append((record.header_bytes, body))
        last = journal.position_after(record)
    assert not is_clean(audit([*WHOLE[:at], (forged.header_bytes, forged.body), *rest]))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, COUNT - 1))
def test_a_body_that_is_gone_is_found_unless_it_was_redacted_on_record(number: int) -> None:
    """To blank a body is to hide something; only a record may say that it was right."""
    header, _body = WHOLE[number]
    changed = [*WHOLE[:number], (header, None), *WHOLE[number + 1 :]]
    assert not is_clean(audit(changed))
    redact = records.encode(records.Redact(NAME, 1, number + 1, "个人信息", AT))
    record = journal.append(HEAD, "redact", f"{NAME} 1:{number + 1}", redact, BEGAN_US)
    signed = sign_checkpoint(journal.position_after(record), BEGAN_US, BEGAN_US + 1, KEY)
    auditor, redactions = Auditor(NAME, (KEY.public_key(),), signed), Redactions()
    for pair in [*changed, (record.header_bytes, record.body)]:
        known = auditor.feed(*pair)
        assert known is not None
        redactions.note(known)
    assert is_clean(auditor.finish())
    assert redactions.unaccounted(auditor.missing) == ()


def test_a_redaction_accounts_for_the_record_that_it_names_alone() -> None:
    """Another one that has its place lost its body without a word."""
    record = journal.parse_record(*WHOLE[0])
    for origin, is_accounted in ((record.hash, True), ("e" * 64, False)):
        redact = records.encode(records.Redact(NAME, 1, 1, "个人信息", AT, origin))
        redactions = Redactions()
        redactions.note(journal.append(HEAD, "redact", "k", redact, BEGAN_US))
        assert (redactions.unaccounted([(NAME, 1, 1, record.hash)]) == ()) is is_accounted


def test_a_record_may_not_redact_what_its_stream_has_no_say_over() -> None:
    """A site removes its own words; it cannot account for a body that vanished elsewhere."""
    redact = records.encode(records.Redact("all/content", 1, 1, "x", AT))
    record = journal.append(journal.genesis(NAME), "redact", "k", redact, BEGAN_US)
    redactions = Redactions()
    redactions.note(record)
    assert redactions.removed == set()


@pytest.mark.parametrize(
    "signed",
    [
        None,
        sign_checkpoint(HEAD, BEGAN_US, BEGAN_US + 1, Ed25519PrivateKey.generate()),
        sign_checkpoint(Position(NAME, 1, COUNT, "a" * 64), BEGAN_US, BEGAN_US + 1, KEY),
        sign_checkpoint(Position(NAME, 1, COUNT + 1, HEAD.head), BEGAN_US, BEGAN_US + 1, KEY),
        sign_checkpoint(Position(NAME, 1, COUNT - 1, HEAD.head), BEGAN_US, BEGAN_US + 1, KEY),
        sign_checkpoint(Position("all/control", 1, COUNT, HEAD.head), BEGAN_US, BEGAN_US + 1, KEY),
    ],
    ids=["none", "another's", "other head", "beyond", "behind", "other stream"],
)
def test_a_checkpoint_that_does_not_cover_the_head_is_found(signed: Checkpoint | None) -> None:
    """Without a signature on the end nothing can be said of it."""
    assert not is_clean(audit(WHOLE, signed))


def test_one_bad_record_is_told_once_and_the_rest_is_not_blamed() -> None:
    """Who has to find the damage needs the one place, not a page."""
    header, body = WHOLE[7]
    assert body is not None
    found = audit([*WHOLE[:7], (header, body[:-1] + b"x"), *WHOLE[8:]])
    assert [problem.en.split(" ")[1] for problem in found.problems if "no record" in problem.en] == ["1:8"]
    assert len([problem for problem in found.problems if "as-run" not in problem.en]) == 1


def test_problems_are_bounded() -> None:
    """A file of noise must not fill the memory of who reads it."""
    found = audit([(b"x", b"y")] * (PROBLEMS_MAX + 50))
    assert len(found.problems) <= PROBLEMS_MAX + 2


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row | {"title": "别的"},
        lambda row: row | {"hash": "0" * 64},
        lambda row: row | {"seq": row["seq"] + 1},
        lambda row: row | {"prev": "0" * 64},
    ],
    ids=["title", "hash", "seq", "prev"],
)
def test_an_as_run_row_that_does_not_follow_is_found(change: Callable[[dict[str, object]], dict[str, object]]) -> None:
    """The writer himself may have changed what aired before he reported it: the rows have a chain of their own."""
    said, last, pairs = list(reports(8)), journal.genesis(NAME), list[Pair]()
    for number, (kind, key, body) in enumerate(said):
        rows = msgspec.json.decode(body).get("rows")
        told = msgspec.json.encode({"channel": key, "rows": [change(rows[0])]}) if number == 5 else body
        record = journal.append(last, kind, key, told, BEGAN_US)
        last = journal.position_after(record)
        pairs.append((record.header_bytes, record.body))
    assert any("as-run" in problem.en for problem in audit(pairs, sign_checkpoint(last, BEGAN_US, 1, KEY)).problems)
