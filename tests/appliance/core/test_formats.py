"""The formats page is checked against the code: every byte of its examples is what the code writes and takes."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core import records, wire
from appliance.core.errors import Text
from appliance.core.events import Acked, BrokenArrived, CheckpointArrived, Delivered, Event, PeerSaidBye, RecordsArrived
from appliance.core.item import parse_item
from appliance.core.journal import (
    SIGNED_PREFIX,
    Position,
    genesis,
    parse_checkpoint,
    parse_record,
    position_after,
    public_key_text,
)
from appliance.core.judge import Verdict, judge
from appliance.core.session import Session

PAGE = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()
HUB_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SITE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))


def block(name: str) -> list[str]:
    found = re.search(rf"^```{name}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the page has no example of a {name}"
    return found[1].splitlines()


def section(number: int) -> str:
    return re.split(r"^## \d+\. ", PAGE, flags=re.MULTILINE)[number]


def test_the_records_and_the_checkpoint_of_the_page_are_valid() -> None:
    """Somebody who writes a box from the page alone checks the work against these bytes."""
    lines = [line.encode() for line in block("record")]
    pair = [parse_record(lines[0], lines[1]), parse_record(lines[2], lines[3])]
    payload, signature = block("checkpoint")
    checkpoint = parse_checkpoint(payload.encode(), bytes.fromhex(signature))
    judgement = judge(genesis("dengfeng/control"), pair, checkpoint, HUB_KEY.public_key())
    assert (judgement.verdict, judgement.accepted) == (Verdict.ACCEPTED, tuple(pair))
    assert HUB_KEY.sign(SIGNED_PREFIX + payload.encode()).hex() == signature
    assert all(record.hash in section(1).split() for record in pair)
    assert public_key_text(HUB_KEY.public_key()) in section(1)
    assert [type(records.decode(record)) for record in pair] == [records.Order, records.Recall]
    for begun in re.findall(r"`((?:[0-9a-f]{2} ){5,}[0-9a-f]{2})`", section(1))[1:]:
        assert any(bytes.fromhex(begun) in line for line in lines)


def test_the_item_of_the_page_is_an_item() -> None:
    """An example that the code refuses is worse than none."""
    [line] = block("json")
    assert parse_item(line.encode()).is_signed_off()


def test_the_dialogue_of_the_page_is_one_that_both_ends_understand() -> None:
    """Each line is given to the end that it is said to; neither may object, and both must end where the page says."""
    first = parse_record(block("record")[0].encode(), None)
    answer: list[Position] = []
    box = Session.box("dengfeng", {}, genesis("dengfeng/report"), "x", 0)
    hub = Session.hub("dengfeng", "songshan", genesis("dengfeng/report"), {}, "x", 0)
    heard: list[Event] = []
    for line in block("dialogue"):
        who, said = line.split(" ", 1)
        listener = hub if who == ">" else box
        for event in listener.receive(said.encode() + b"\n"):
            heard.append(event)
            if isinstance(event, RecordsArrived):
                at_box = listener is box
                last = position_after(first) if at_box else genesis(event.stream)
                key = HUB_KEY if at_box else SITE_KEY
                judgement = judge(last, event.records, event.checkpoint, key.public_key())
                assert judgement.verdict is Verdict.ACCEPTED
                answer.append(judgement.position)
                speaker = hub if at_box else box
                speaker.offer(event.stream, event.records, event.checkpoint)
                sent = speaker.data_to_send().decode().splitlines()[-1]
                assert sent == said, "our own end says it in the same bytes"
                listener.ack(judgement.position)
            if isinstance(event, Delivered):
                listener.answer_delivered(event.digest, "taken", Text("", ""))
                box.delivered(event.digest)
    assert [event.position for event in heard if isinstance(event, Acked)] == answer
    assert isinstance(heard[-1], PeerSaidBye)
    assert not any(isinstance(event, BrokenArrived | CheckpointArrived) for event in heard)


@pytest.mark.parametrize("stream", ["control", "content", "report"])
def test_every_kind_is_on_the_page(stream: str) -> None:
    """A kind that is not written down is one that no other box can read."""
    for kind, shape in records.SHAPES[stream].items():
        row = next(line for line in section(2).splitlines() if f"| `{kind}` |" in line)
        assert stream in row
        if kind not in ("item", "offer"):
            assert all(f"`{name}`" in row for name in shape.__struct_fields__)


def test_every_line_and_every_limit_is_on_the_page() -> None:
    """What is not written down is not a protocol."""
    for line in (wire.FROM_BOX.type, wire.FROM_HUB.type):
        for shape in line.__args__:
            rows = [row for row in section(3).splitlines() if row.startswith(f"| `{shape.__struct_config__.tag}` |")]
            assert rows, shape
            assert any(all(f"`{name}`" in row for name in shape.__struct_fields__) for row in rows), shape
    limits = (wire.BATCH_BYTES, wire.LINE_BYTES_MAX, wire.SMALL_LINE_BYTES_MAX, wire.RECORDS_PER_BATCH)
    for limit in (*limits, wire.GIVEN_BYTES_MAX, wire.GIVE_MAX, wire.OWED_MAX):
        assert f"{limit:,}" in section(3)
