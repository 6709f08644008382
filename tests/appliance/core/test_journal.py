"""The journal's bytes and the judge of what arrives."""

import hashlib
import json
from collections.abc import Sequence

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.errors import OperatorError
from appliance.core.journal import (
    BODY_BYTES_MAX,
    HEADER_BYTES_MAX,
    NO_HEAD,
    Broken,
    Checkpoint,
    Position,
    Record,
    append,
    check_stream,
    checkpoint_text,
    genesis,
    next_epoch,
    parse_checkpoint,
    parse_checkpoint_text,
    parse_public_key,
    parse_record,
    position_after,
    public_key_text,
    sign_checkpoint,
)
from appliance.core.judge import Judgement, Verdict, judge

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key()
OTHER = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
STREAM = "dengfeng/control"
AT_US = 1_795_500_000_000_000
S = 1_000_000


def chain(count: int, last: Position | None = None, word: str = "a") -> list[Record]:
    """`count` records that follow `last`, each saying its number and `word`."""
    position = last or genesis(STREAM)
    records = []
    for number in range(count):
        body = json.dumps({"n": number, "word": word}).encode()
        records.append(append(position, "order", f"o{number}", body, AT_US + number * S))
        position = position_after(records[-1])
    return records


def signed(record: Record | Position, at_us: int = AT_US, key: Ed25519PrivateKey = KEY) -> Checkpoint:
    position = record if isinstance(record, Position) else position_after(record)
    return sign_checkpoint(position, at_us, at_us + 300 * S, key)


def verdict(last: Position, records: Sequence[Record], checkpoint: Checkpoint | None, seen_us: int = 0) -> Verdict:
    judgement = judge(last, records, checkpoint, PUBLIC, seen_us)
    if judgement.verdict is not Verdict.ACCEPTED:
        assert (judgement.accepted, judgement.position) == ((), last), "only ACCEPTED may move a reader"
    assert judgement.reason.zh
    assert judgement.reason.en
    return judgement.verdict


def altered(record: Record, **fields: object) -> Record:
    """The same record with other header fields, as a forger without the key would write it."""
    header = json.loads(record.header_bytes) | fields
    return parse_record(json.dumps(header).encode(), record.body)


# --- bytes ---


def test_a_record_is_exactly_the_bytes_that_the_formats_page_shows() -> None:
    """Boxes of another make hash the same bytes, so not one of them may change."""
    record = append(genesis(STREAM), "order", "o1", b'{"id":"o1","title":"\xe9\x87\x87\xe8\xae\xbf"}', AT_US)
    assert record.header_bytes == (
        b'{"v":1,"stream":"dengfeng/control","epoch":1,"seq":1,"prev":"' + b"0" * 64 + b'","kind":"order","key":"o1",'
        b'"at":"2026-11-24T06:00:00Z",'
        b'"body_sha256":"4e9b72836cd59970ea4e5895304f265e19a0e41a862000aded62be359795910c","body_size_bytes":28}'
    )
    assert record.hash == hashlib.sha256(record.header_bytes).hexdigest()


def test_a_record_written_by_another_hand_keeps_its_bytes_and_its_hash() -> None:
    """Another writer may order and space the keys in its own way and add keys; nothing is written anew."""
    body = b'{ "id": "o1" }'
    header = {
        "note": "嵩山",
        "body_size_bytes": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "at": "2026-11-24T14:00:00.5+08:00",
        "key": "",
        "kind": "order",
        "prev": NO_HEAD,
        "seq": 1,
        "epoch": 1,
        "stream": STREAM,
        "v": 1,
    }
    line = json.dumps(header, ensure_ascii=False, indent=None, separators=(" , ", " : ")).encode()
    record = parse_record(line, body)
    assert (record.header_bytes, record.body, record.hash) == (line, body, hashlib.sha256(line).hexdigest())
    assert judge(genesis(STREAM), [record], signed(record), PUBLIC).accepted == (record,)


@given(st.text(max_size=60), st.dictionaries(st.text(max_size=8), st.text(max_size=40), max_size=4), st.integers(1, 9))
def test_what_is_appended_is_read_back_the_same(key: str, body: dict[str, str], count: int) -> None:
    """What a writer keeps is what every reader sees, whatever people type into it."""
    line = msgspec.json.encode(body)
    position = genesis(STREAM)
    records = []
    for _ in range(count):
        records.append(append(position, "item", key, line, AT_US))
        position = position_after(records[-1])
    assert [parse_record(record.header_bytes, record.body) for record in records] == records
    assert judge(genesis(STREAM), records, signed(position), PUBLIC) == Judgement(
        Verdict.ACCEPTED, tuple(records), position, judge(genesis(STREAM), records, signed(position), PUBLIC).reason
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"v": 2},
        {"v": "1"},
        {"stream": "all/report"},
        {"stream": "hub/control"},
        {"stream": "../etc/control"},
        {"stream": "dengfeng/control\n"},
        {"stream": "Dengfeng/control"},
        {"epoch": 0},
        {"epoch": 2**31},
        {"seq": 0},
        {"seq": -1},
        {"seq": 1.5},
        {"seq": True},
        {"seq": 2**53},
        {"seq": 10**400},
        {"prev": "0" * 63},
        {"prev": "A" * 64},
        {"prev": "0" * 64 + "\n"},
        {"kind": ""},
        {"kind": "Order"},
        {"kind": "../order"},
        {"kind": "order\n"},
        {"key": "k" * 201},
        {"key": None},
        {"at": "yesterday"},
        {"at": "2026-11-24T06:00:00"},
        {"body_sha256": "xyz"},
        {"body_size_bytes": 1},
        {"body_size_bytes": BODY_BYTES_MAX + 1},
        {"body_size_bytes": 30},
    ],
    ids=lambda fields: repr(fields)[:50],
)
def test_a_header_out_of_range_is_no_record(fields: dict[str, object]) -> None:
    """What is wrong in shape must not get as far as the judge, still less to a table or a path."""
    record = chain(1)[0]
    with pytest.raises(Broken):
        altered(record, **fields)


def test_a_header_of_the_greatest_size_passes_and_one_byte_more_does_not() -> None:
    """Whoever reads streams from a disk or a line needs to know how much a header can be."""
    room = HEADER_BYTES_MAX - len(altered(chain(1)[0], note="").header_bytes)
    assert len(altered(chain(1)[0], note="x" * room).header_bytes) == HEADER_BYTES_MAX
    with pytest.raises(Broken):
        altered(chain(1)[0], note="x" * (room + 1))


@pytest.mark.parametrize("field", ["v", "stream", "epoch", "seq", "prev", "kind", "key", "at", "body_sha256"])
def test_a_header_that_lacks_a_field_is_no_record(field: str) -> None:
    """There are no defaults for what the chain stands on."""
    header = json.loads(chain(1)[0].header_bytes)
    del header[field]
    with pytest.raises(Broken):
        parse_record(json.dumps(header).encode(), None)


def test_a_wrong_body_is_no_record() -> None:
    """The header vouches for one body only: same size and one bit changed, cut, longer, all are found."""
    record = chain(1)[0]
    assert record.body is not None
    for body in (record.body.replace(b'"a"', b'"b"'), record.body[:-1], record.body + b" "):
        with pytest.raises(Broken):
            parse_record(record.header_bytes, body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b"null",
        b"{",
        b"{} {}",
        b'{"a":\n1}',
        b"\xff\xfe",
        b'{"a":"\xd6\xd0"}',
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
        b'{"a":"' + b"x" * BODY_BYTES_MAX + b'"}',
        b'{"a":"' + b"x" * 10_000_000 + b'"}',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_a_body_that_is_not_one_line_of_one_object_cannot_be_appended(body: bytes) -> None:
    """A writer holds itself to the rules that readers check: 10 MB, GBK or a line break would end its stream."""
    with pytest.raises(Broken):
        append(genesis(STREAM), "order", "o1", body, AT_US)


def test_the_bound_on_nesting_counts_depth_and_not_brackets() -> None:
    """Every box must judge the same bytes alike, however deep its own calls lie; brackets in a text are text."""
    deepest = b'{"a":' + b"[" * 63 + b"]" * 63 + b"}"
    wide = json.dumps({"a": [[{}]] * 500, "b": '[{\\"' * 500}).encode()
    for body in (deepest, wide):
        assert append(genesis(STREAM), "order", "o1", body, AT_US).body == body


def test_a_body_of_exactly_the_greatest_size_passes() -> None:
    """The bound is named in the formats page and is inclusive."""
    body = b'{"a":"' + b"x" * (BODY_BYTES_MAX - 8) + b'"}'
    assert append(genesis(STREAM), "order", "o1", body, AT_US).header.body_size_bytes == BODY_BYTES_MAX


@pytest.mark.parametrize("line", [b"", b"[]", b"{", b"\xff", b"[" * 4000, b" " * (HEADER_BYTES_MAX + 1)])
def test_garbage_is_neither_record_nor_checkpoint(line: bytes) -> None:
    """Whatever comes in as bytes ends in one typed error."""
    with pytest.raises(Broken):
        parse_record(line, None)
    with pytest.raises(Broken):
        parse_checkpoint(line, b"")


@given(st.binary(max_size=300), st.one_of(st.none(), st.binary(max_size=50)))
def test_no_bytes_at_all_break_the_parser_in_another_way(line: bytes, body: bytes | None) -> None:
    """A crash on garbage would be a way to stop a box from afar."""
    with pytest.raises(Broken):
        parse_record(line, body)
    with pytest.raises(Broken):
        parse_checkpoint(line, line)


@pytest.mark.parametrize(
    "name", ["", "all", "all/report", "all/", "hub/control", "d/control", "deng feng/control", "x/../y"]
)
def test_a_stream_has_one_of_the_agreed_names(name: str) -> None:
    """Stream names become folder names at the hub."""
    with pytest.raises(OperatorError):
        check_stream(name)


@pytest.mark.parametrize("name", ["all/control", "all/content", "dengfeng/report", "allen/control", "hub-2/content"])
def test_streams_of_sites_whose_names_begin_like_reserved_ones_are_streams(name: str) -> None:
    """`all` and `hub` are reserved as whole names, not as beginnings."""
    assert check_stream(name) == name


def test_checkpoints_and_keys_survive_their_text_forms() -> None:
    """Files and sessions carry them in base64."""
    checkpoint = signed(chain(2)[-1])
    assert parse_checkpoint_text(*checkpoint_text(checkpoint)) == checkpoint
    assert public_key_text(parse_public_key(public_key_text(PUBLIC))) == public_key_text(PUBLIC)
    for text in ("", "?", "AAAA", "嵩山"):
        with pytest.raises(OperatorError):
            parse_public_key(text)
        with pytest.raises(Broken):
            parse_checkpoint_text(text, text)


# --- the judge ---


def test_records_up_to_the_checkpoint_are_accepted_and_the_rest_is_held() -> None:
    """What the writer has not put its name to must not be applied, even when it is in order."""
    records = chain(5)
    judgement = judge(genesis(STREAM), records, signed(records[2]), PUBLIC)
    assert (judgement.verdict, judgement.accepted) == (Verdict.ACCEPTED, tuple(records[:3]))
    assert judgement.position == position_after(records[2])


def test_records_without_a_checkpoint_are_held() -> None:
    """An unsigned record is no record, however well it fits."""
    records = chain(3)
    assert verdict(genesis(STREAM), records, None) is Verdict.HELD
    assert verdict(position_after(records[0]), records[1:], signed(records[0])) is Verdict.HELD


def test_records_that_end_before_the_checkpoint_are_held() -> None:
    """A checkpoint further on vouches for nothing until the chain up to it is there."""
    records = chain(4)
    assert verdict(genesis(STREAM), records[:2], signed(records[3])) is Verdict.HELD
    assert verdict(genesis(STREAM), (), signed(records[3])) is Verdict.HELD


def test_known_records_that_come_again_are_skipped_and_the_new_rest_is_accepted() -> None:
    """A line that breaks before the acknowledgement brings the same records twice; none may be applied twice."""
    records = chain(6)
    last = position_after(records[3])
    judgement = judge(last, records[1:], signed(records[5]), PUBLIC)
    assert (judgement.verdict, judgement.accepted) == (Verdict.ACCEPTED, tuple(records[4:]))
    assert verdict(last, records[1:4], signed(records[3])) is Verdict.DUPLICATE
    assert verdict(last, records[1:3], None) is Verdict.DUPLICATE
    assert verdict(last, (), None) is Verdict.DUPLICATE


def test_an_idle_checkpoint_is_accepted_once() -> None:
    """It shows how fresh the view is; come again, it shows nothing new."""
    records = chain(2)
    last = position_after(records[-1])
    assert verdict(last, (), signed(last, AT_US), AT_US - 1) is Verdict.ACCEPTED
    assert verdict(last, (), signed(last, AT_US), AT_US) is Verdict.DUPLICATE


@given(st.integers(1, 12), st.data())
def test_any_delivery_of_an_honest_stream_ends_at_its_head(count: int, data: st.DataObject) -> None:
    """Whatever is cut, repeated or delayed on the way, each record is accepted exactly once and in order."""
    records = chain(count)
    last, taken, seen_us = genesis(STREAM), list[Record](), 0
    for _ in range(12):
        start = data.draw(st.integers(0, last.seq))
        end = data.draw(st.integers(start, count))
        signed_at = data.draw(st.integers(0, count - 1))
        checkpoint = signed(records[signed_at], AT_US + signed_at * S)
        judgement = judge(last, records[start:end], checkpoint, PUBLIC, seen_us)
        assert judgement.verdict not in (Verdict.BROKEN, Verdict.FORKED, Verdict.REWOUND)
        taken += judgement.accepted
        last = judgement.position
        if judgement.verdict is Verdict.ACCEPTED:
            seen_us = checkpoint.at_us
    judgement = judge(last, records[last.seq :], signed(records[-1], AT_US + count * S), PUBLIC, seen_us)
    assert (taken + list(judgement.accepted), judgement.position) == (records, position_after(records[-1]))


def test_a_link_that_does_not_hold_is_broken() -> None:
    """The chain is what makes one signature vouch for all before it: a record swapped in the middle is found."""
    records = chain(4)
    forged = altered(records[1], key="forged")
    assert verdict(genesis(STREAM), [records[0], forged, *records[2:]], signed(records[3])) is Verdict.BROKEN
    wrong_prev = altered(records[3], prev="1" * 64)
    assert verdict(genesis(STREAM), [*records[:3], wrong_prev], signed(wrong_prev)) is Verdict.BROKEN


def test_a_last_record_other_than_the_signed_one_is_broken() -> None:
    """The head's hash is what was signed: a forged last record fits the chain before it and still is found."""
    records = chain(3)
    assert verdict(genesis(STREAM), [*records[:2], altered(records[2], key="x")], signed(records[2])) is Verdict.BROKEN


def test_a_wrong_signature_is_broken() -> None:
    """Only the writer's key can add to its stream."""
    records = chain(3)
    head = records[-1]
    good = signed(head)
    flipped = parse_checkpoint(good.payload, good.signature[:-1] + bytes([good.signature[-1] ^ 1]))
    for checkpoint in (signed(head, key=OTHER), flipped, parse_checkpoint(good.payload, b"")):
        assert verdict(genesis(STREAM), records, checkpoint) is Verdict.BROKEN
        assert verdict(position_after(head), (), checkpoint) is Verdict.BROKEN
    payload_only = KEY.sign(good.payload)
    assert verdict(genesis(STREAM), records, parse_checkpoint(good.payload, payload_only)) is Verdict.BROKEN


@pytest.mark.parametrize("order", [(0, 2), (1, 2), (0, 2, 1), (2, 1, 0), (0, 0, 1), (0, 1, 1, 2)])
def test_a_wrong_sequence_is_broken(order: tuple[int, ...]) -> None:
    """Order is by sequence: a gap, a swap or a repeat inside a batch means that something was lost on the way."""
    records = chain(3)
    assert verdict(genesis(STREAM), [records[number] for number in order], signed(records[2])) is Verdict.BROKEN


def test_a_gap_after_what_was_accepted_is_broken() -> None:
    """Missing records must be asked for again, not skipped."""
    records = chain(5)
    assert verdict(position_after(records[1]), records[3:], signed(records[4])) is Verdict.BROKEN


def test_records_and_checkpoints_of_another_stream_are_broken() -> None:
    """One site's valid stream must not be taken for another's."""
    foreign = chain(2, genesis("zhongmu/control"))
    own = chain(2)
    assert verdict(genesis(STREAM), foreign, signed(foreign[-1])) is Verdict.BROKEN
    assert verdict(genesis(STREAM), foreign, None) is Verdict.BROKEN
    assert verdict(genesis(STREAM), own, signed(foreign[-1])) is Verdict.BROKEN
    assert verdict(genesis(STREAM), (), signed(foreign[-1])) is Verdict.BROKEN


def test_two_signed_histories_are_a_fork() -> None:
    """A cloned disk appends where the original appended: same place, other bytes, both with a good signature."""
    common = chain(2)
    ours = chain(2, position_after(common[-1]), "ours")
    theirs = chain(3, position_after(common[-1]), "theirs")
    last = position_after(ours[-1])
    assert verdict(last, theirs, signed(theirs[-1])) is Verdict.FORKED
    assert verdict(last, theirs[2:], signed(theirs[-1])) is Verdict.FORKED
    assert verdict(last, theirs[:2], signed(theirs[1])) is Verdict.FORKED
    assert verdict(last, (), signed(theirs[1])) is Verdict.FORKED


def test_a_fork_that_nobody_signed_is_only_broken() -> None:
    """Fencing a site needs the site's own signature as evidence; else whoever can send bytes could have it fenced."""
    common = chain(2)
    ours = chain(1, position_after(common[-1]), "ours")
    theirs = chain(2, position_after(common[-1]), "theirs")
    last = position_after(ours[-1])
    assert verdict(last, theirs, None) is Verdict.BROKEN
    assert verdict(last, theirs, signed(theirs[-1], key=OTHER)) is Verdict.BROKEN
    assert verdict(last, theirs[:1], None) is Verdict.BROKEN
    assert verdict(last, theirs[1:], signed(common[-1])) is Verdict.BROKEN


def test_a_head_behind_the_one_seen_is_a_rewind_when_newly_signed_and_stale_when_old() -> None:
    """A hub back from a backup signs its old head now; a message that was long under way was signed then."""
    records = chain(5)
    last = position_after(records[4])
    seen_us = AT_US + 100 * S
    assert verdict(last, (), signed(records[1], seen_us + S), seen_us) is Verdict.REWOUND
    assert verdict(last, records[:2], signed(records[1], seen_us + S), seen_us) is Verdict.REWOUND
    assert verdict(last, (), signed(records[1], seen_us - S), seen_us) is Verdict.STALE
    assert verdict(last, records[:2], signed(records[1], seen_us - S), seen_us) is Verdict.STALE


def test_a_new_epoch_goes_on_from_the_head_of_the_old_one() -> None:
    """After a fence the writer begins a new epoch; readers must be able to follow without a gap."""
    old = chain(3)
    begun = next_epoch(position_after(old[-1]))
    new = chain(2, begun)
    assert (new[0].header.epoch, new[0].header.seq, new[0].header.prev) == (2, 1, old[-1].hash)
    both = judge(genesis(STREAM), [*old, *new], signed(new[-1]), PUBLIC)
    assert (both.verdict, both.accepted) == (Verdict.ACCEPTED, (*old, *new))
    assert judge(position_after(old[-1]), new, signed(new[-1]), PUBLIC).accepted == tuple(new)
    assert judge(position_after(new[0]), [*old, *new], signed(new[-1]), PUBLIC).accepted == (new[1],)


def test_an_epoch_that_leaves_accepted_records_out_is_a_fork() -> None:
    """A new epoch may not be a way to unsay what was accepted."""
    old = chain(3)
    new = chain(1, next_epoch(position_after(old[1])))
    assert verdict(position_after(old[2]), new, signed(new[-1])) is Verdict.FORKED


def test_epochs_do_not_leap() -> None:
    """Else a thief of the key could push a stream out of everybody's reach."""
    old = chain(1)
    leap = chain(1, next_epoch(next_epoch(position_after(old[0]))))
    assert verdict(position_after(old[0]), leap, signed(leap[0])) is Verdict.BROKEN
    assert verdict(genesis(STREAM), [*old, *leap], signed(leap[0])) is Verdict.BROKEN


def test_an_unknown_kind_is_accepted_like_any_other() -> None:
    """A newer hub may say things that this box learns to read later; the chain must hold over them."""
    record = append(genesis(STREAM), "from-the-future", "k", b'{"a":1}', AT_US)
    assert judge(genesis(STREAM), [record], signed(record), PUBLIC).accepted == (record,)


def test_a_redacted_body_leaves_the_chain_valid() -> None:
    """Personal data must be erasable without unsaying everything after it."""
    records = chain(3)
    redacted = [parse_record(record.header_bytes, None) for record in records]
    assert [record.body for record in redacted] == [None] * 3
    assert parse_record(records[0].header_bytes, b"") == redacted[0]
    mixed = [records[0], redacted[1], records[2]]
    assert judge(genesis(STREAM), mixed, signed(records[2]), PUBLIC).accepted == tuple(mixed)
