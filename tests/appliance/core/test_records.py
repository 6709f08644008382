"""The bodies of records: each kind is read, whatever is wrong with one is said, and nothing foreign slips in."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.asset import Asset, Rendition
from appliance.core.errors import OperatorError, Text
from appliance.core.item import Item, SignOff
from appliance.core.journal import Record, append, genesis, parse_record
from appliance.core.records import (
    SHAPES,
    Answer,
    AsRun,
    BadBody,
    Body,
    Filler,
    Insert,
    Order,
    Recall,
    Receipt,
    Redact,
    Resume,
    Rotate,
    Schedule,
    Seen,
    SeenHead,
    Submission,
    Take,
    Template,
    Tip,
    UnknownKind,
    Untake,
    assets_of,
    decode,
    encode,
)

AT = "2026-11-24T06:00:00Z"
AT_US = 1_795_500_000_000_000
DIGEST = "sha256:" + "ab" * 32
RENDITION = Rendition("sha256:" + "cd" * 32, 10, 50, "house-1")
ASSET = Asset(DIGEST, 1234, "采访.mp4", "video/mp4", "video", 2.0, RENDITION)
ITEM = Item("i1", "登封早间", "news", "hub", AT, assets=(ASSET,), sign_offs=(SignOff("final", "审", AT),))
RECALL = Recall(target="i1", reason="有误", at=AT)
INSERT = Insert(id="x1", channel="dengfeng-1", asset=ASSET, not_after=AT)
TEMPLATE = Template(channel="dengfeng-1", version=2, document=msgspec.Raw(b'{"days":[]}'), assets=(ASSET,))
SCHEDULE = Schedule(
    channel="dengfeng-1", date="2026-11-24", version=3, document=msgspec.Raw(b'{"entries":[]}'), assets=(ASSET,)
)
BODIES: tuple[tuple[str, str, Body], ...] = (
    ("all/control", "recall", RECALL),
    ("dengfeng/control", "recall", Recall(target=DIGEST, reason="有误", at=AT)),
    ("dengfeng/control", "order", Order(id="o1", title="采访防汛", due=AT)),
    ("dengfeng/control", "insert", INSERT),
    ("dengfeng/control", "resume", Resume(channel="dengfeng-1")),
    (
        "dengfeng/control",
        "receipt",
        Receipt(submission="s1", item="i1", verdict="accepted", reason=Text("收", "taken")),
    ),
    ("all/content", "item", ITEM),
    ("all/content", "offer", ITEM),
    ("dengfeng/content", "schedule", SCHEDULE),
    ("dengfeng/content", "template", TEMPLATE),
    ("dengfeng/content", "filler", Filler(channel="dengfeng-1", assets=(ASSET,))),
    ("dengfeng/report", "submission", Submission(id="s1", item=ITEM)),
    ("dengfeng/report", "take", Take(item="i1")),
    ("dengfeng/report", "untake", Untake(item="i1")),
    ("dengfeng/report", "answer", Answer(order="o1", answer="done", by="值班", at=AT)),
    ("dengfeng/report", "asrun", AsRun(channel="dengfeng-1", rows=({"title": "早间"},))),
    ("dengfeng/report", "tip", Tip(id="t1", text="路灯坏了", at=AT)),
    ("all/control", "rotate", Rotate("A" * 43 + "=", "B" * 43 + "=", "word", "proof", AT)),
    ("dengfeng/report", "redact", Redact("dengfeng/report", 1, 7, "含个人信息", AT)),
    ("dengfeng/control", "redact", Redact("dengfeng/report", 1, 7, "含个人信息", AT)),
    ("all/control", "redact", Redact("all/content", 2, 7, "含个人信息", AT)),
    ("dengfeng/report", "seen", Seen(heads={"all/control": SeenHead(1, 7, "a" * 64)}, at=AT)),
)


def record_of(stream: str, kind: str, body: bytes) -> Record:
    return append(genesis(stream), kind, "k", body, AT_US)


def changed(body: Body, **fields: object) -> bytes:
    return json.dumps(json.loads(encode(body)) | fields).encode()


def with_item(**fields: object) -> bytes:
    item: Mapping[str, Any] = json.loads(encode(ITEM))
    return json.dumps({"id": "s1", "item": {**item, **fields}}).encode()


def with_asset(**fields: object) -> bytes:
    asset: Mapping[str, Any] = json.loads(msgspec.json.encode(ASSET))
    return changed(INSERT, asset={**asset, **fields})


@pytest.mark.parametrize(("stream", "kind", "body"), BODIES, ids=[f"{stream} {kind}" for stream, kind, _ in BODIES])
def test_every_kind_is_read_as_it_was_written(stream: str, kind: str, body: Body) -> None:
    """What one end says the other end understands, Chinese included."""
    assert decode(record_of(stream, kind, encode(body))) == body


def test_every_kind_has_an_example_here() -> None:
    """A kind without a test is one that nobody has ever read back."""
    assert {kind for _, kind, _ in BODIES} == {kind for kinds in SHAPES.values() for kind in kinds}


def test_keys_that_are_not_known_are_ignored() -> None:
    """A newer hub may say more; what this version knows it can still use."""
    assert decode(record_of("all/control", "recall", changed(RECALL, urgency="high"))) == RECALL


def test_an_unknown_kind_is_told_apart_from_a_bad_body() -> None:
    """The first is kept for the upgrade, the second is somebody's mistake."""
    with pytest.raises(UnknownKind):
        decode(record_of("all/control", "from-the-future", b'{"a":1}'))


@pytest.mark.parametrize(
    "stream", ["all/control", "all/content", "dengfeng/control", "dengfeng/content", "dengfeng/report"]
)
def test_a_kind_in_a_stream_where_it_has_no_business_is_not_read(stream: str) -> None:
    """A site must not be able to recall, to schedule, or to answer in another's name by writing the hub's kinds."""
    for at, kind, body in BODIES:
        if kind == "redact":  # both ends write it; whose records it may name is tested below
            continue
        allowed = at.rpartition("/")[2] == stream.rpartition("/")[2]
        if not allowed or (kind == "offer" and stream != "all/content"):
            with pytest.raises(BadBody):
                decode(record_of(stream, kind, encode(body)))


def test_a_redacted_body_is_said_to_be_one() -> None:
    """Whoever applies it must be able to say why there is nothing."""
    record = record_of("all/control", "recall", encode(RECALL))
    with pytest.raises(BadBody, match="redacted"):
        decode(parse_record(record.header_bytes, None))


@pytest.mark.parametrize(
    ("stream", "kind", "body"),
    [
        ("all/control", "recall", b"{}"),
        ("all/control", "recall", changed(RECALL, at="yesterday")),
        ("all/control", "recall", changed(RECALL, at="2026-11-24T06:00:00")),
        ("all/control", "recall", changed(RECALL, target="../../etc/passwd")),
        ("all/control", "recall", changed(RECALL, target="")),
        ("all/control", "recall", changed(RECALL, target=5)),
        ("dengfeng/control", "order", b'{"id":"o1","title":"t","due":"25:00"}'),
        ("dengfeng/control", "insert", changed(INSERT, not_after=None)),
        ("dengfeng/control", "insert", with_asset(digest="../../etc/passwd")),
        ("dengfeng/control", "insert", with_asset(digest="ab" * 32)),
        ("dengfeng/control", "insert", with_asset(digest=DIGEST + "\n")),
        ("dengfeng/control", "insert", with_asset(size_bytes=-1)),
        ("dengfeng/control", "insert", with_asset(role="program")),
        (
            "dengfeng/control",
            "insert",
            with_asset(rendition={"digest": "x", "size_bytes": 1, "frames": 1, "profile": "p"}),
        ),
        ("dengfeng/content", "schedule", changed(SCHEDULE, document=[])),
        ("dengfeng/content", "schedule", changed(SCHEDULE, document="{}")),
        ("dengfeng/content", "schedule", changed(SCHEDULE, version="three")),
        ("dengfeng/report", "submission", with_item(id="../i1")),
        ("dengfeng/report", "submission", with_item(title=" ")),
        ("dengfeng/report", "submission", with_item(title="长" * 201)),
        ("dengfeng/report", "submission", with_item(section="sport")),
        ("dengfeng/report", "submission", with_item(created_at="now")),
        ("dengfeng/report", "submission", with_item(publish_at="2026-11-25T00:00:00Z", until=AT)),
        ("dengfeng/report", "submission", with_item(publish_at="soon")),
        ("dengfeng/report", "submission", with_item(sign_offs=[{"step": "final", "by": "x", "at": "never"}])),
        ("dengfeng/report", "submission", with_item(sign_offs=[{"step": "fourth", "by": "x", "at": AT}])),
        ("dengfeng/report", "answer", changed(Answer(order="o1", answer="done", by="x", at=AT), answer="maybe")),
        ("dengfeng/report", "asrun", b'{"channel":"c","rows":[1]}'),
        ("dengfeng/report", "tip", b'{"id":"t1","text":null,"at":"2026-11-24T06:00:00Z"}'),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused_with_a_reason(stream: str, kind: str, body: bytes) -> None:
    """Signed or not, what does not make sense must stop here, before a table, a path or a channel."""
    record = record_of(stream, kind, body)
    with pytest.raises(BadBody) as caught:
        decode(record)
    assert all(problem.zh and problem.en for problem in caught.value.problems)


def test_every_problem_of_an_item_is_said_at_once() -> None:
    """An editor mends a story once, not once for each mistake."""
    with pytest.raises(BadBody) as caught:
        decode(record_of("dengfeng/report", "submission", with_item(id="A B", title="")))
    assert len(caught.value.problems) == 2


def test_a_schedule_file_with_line_breaks_still_makes_one_line() -> None:
    """Files are written for people, records are lines; strings in it keep their line breaks."""
    document = msgspec.Raw(b'{\n  "channel": "c",\n  "note": "a\\nb"\n}')
    line = encode(Schedule(channel="c", date="2026-11-24", version=1, document=document))
    assert b"\n" not in line
    read = decode(record_of("dengfeng/content", "schedule", line))
    assert isinstance(read, Schedule)
    assert json.loads(bytes(read.document)) == {"channel": "c", "note": "a\nb"}


def test_the_assets_of_a_record_are_all_that_it_names() -> None:
    """What is not named is not fetched, and what is not fetched does not air."""
    naming = {kind for _, kind, body in BODIES if assets_of(body) == (ASSET,)}
    assert naming == {"insert", "item", "offer", "schedule", "template", "filler", "submission"}
    assert all(assets_of(body) == () for _, kind, body in BODIES if kind not in naming)


def test_a_moment_that_is_none_cannot_be_put_into_a_body() -> None:
    """An operator's mistake is said to the operator, and never signed."""
    with pytest.raises(OperatorError):
        Order(id="o1", title="t", due="tomorrow")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(BODIES), st.data())
def test_any_value_in_any_field_is_read_or_refused(example: tuple[str, str, Body], data: st.DataObject) -> None:
    """A crash of the applier on a signed record would come back at every start."""
    stream, kind, body = example
    fields = json.loads(encode(body))
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(JSON_VALUES)
    record = record_of(stream, kind, json.dumps(fields).encode())
    try:
        assert decode(record) is not None
    except BadBody as bad:
        assert bad.problems


@pytest.mark.parametrize(
    ("writer", "target"),
    [
        ("dengfeng/report", "dengfeng/control"),
        ("dengfeng/report", "zhongmu/report"),
        ("dengfeng/control", "all/content"),
        ("dengfeng/control", "zhongmu/report"),
        ("all/control", "dengfeng/report"),
        ("all/control", "all/nonsense"),
    ],
)
def test_a_redaction_of_what_the_stream_has_no_say_over_is_a_bad_body(writer: str, target: str) -> None:
    """A site can never make the hub, or another site, forget."""
    body = encode(Redact(target, 1, 1, "x", AT))
    with pytest.raises(BadBody):
        decode(record_of(writer, "redact", body))
