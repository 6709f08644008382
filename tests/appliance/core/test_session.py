"""The control session: two real ends back to back, and everything that a bad peer can say."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core import wire
from appliance.core.errors import Text
from appliance.core.events import (
    Acked,
    AssetGiven,
    AssetNotGiven,
    BrokenArrived,
    CheckpointArrived,
    Delivered,
    DeliveredAnswered,
    Event,
    GiveAsked,
    Greeted,
    PeerSaidBye,
    Pong,
    RecordsArrived,
    RefusedBy,
    StatusArrived,
)
from appliance.core.journal import Position, Record, append, genesis, position_after, sign_checkpoint
from appliance.core.judge import Verdict, judge
from appliance.core.session import DELIVERIES_MAX, ProtocolError, Session, batch_of

KEY = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
AT_US = 1_795_500_000_000_000
REPORT = "dengfeng/report"
STREAMS = wire.streams_of_hub("dengfeng")
WHY = Text("原因", "reason")
DIGEST = "sha256:" + "ab" * 32


def chain(stream: str, count: int, size_bytes: int = 10) -> list[Record]:
    position, records = genesis(stream), list[Record]()
    for number in range(count):
        body = json.dumps({"n": number, "fill": "嵩" * size_bytes}, ensure_ascii=False).encode()
        records.append(append(position, "order", f"o{number}", body, AT_US + number))
        position = position_after(records[-1])
    return records


@dataclass
class End:
    """A plain owner of a session: it writes what it has, and takes what it is given."""

    session: Session
    writes: dict[str, list[Record]]
    taken: dict[str, list[Record]] = field(default_factory=dict)
    acked: dict[str, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def offer_all(self) -> None:
        for stream, records in self.writes.items():
            left = records[self.acked.get(stream, 0) :]
            if left and self.session.may_send(stream):
                batch = batch_of(left)
                at_us = AT_US + batch[-1].header.seq
                checkpoint = sign_checkpoint(position_after(batch[-1]), at_us, at_us + 1, KEY)
                self.session.offer(stream, batch, checkpoint)

    def receive(self, data: bytes) -> None:
        for event in self.session.receive(data):
            self.events.append(event)
            match event:
                case Greeted(have=have):
                    self.acked = {stream: position.seq for stream, position in have.items()}
                case RecordsArrived(stream=stream, records=records, checkpoint=checkpoint):
                    taken = self.taken.setdefault(stream, [])
                    last = position_after(taken[-1]) if taken else genesis(stream)
                    judgement = judge(last, records, checkpoint, KEY.public_key())
                    assert judgement.verdict is Verdict.ACCEPTED
                    taken += judgement.accepted
                    self.session.ack(judgement.position)
                case Acked(position=position):
                    self.acked[position.stream] = position.seq
                case Delivered(digest=digest):
                    self.session.answer_delivered(digest, "taken", WHY)


def box_end(writes: list[Record] | None = None) -> End:
    records = writes or []
    offer = position_after(records[-1]) if records else genesis(REPORT)
    return End(Session.box("dengfeng", {}, offer, "0.1", AT_US), {REPORT: records})


def hub_end(writes: dict[str, list[Record]] | None = None) -> End:
    streams = {stream: position_after(records[-1]) for stream, records in (writes or {}).items() if records}
    return End(Session.hub("dengfeng", "songshan", genesis(REPORT), streams, "0.1", AT_US), writes or {})


def talk(box: End, hub: End, cut: Callable[[int], int] = lambda length: length) -> None:
    """Carry bytes both ways until nothing moves; `cut` says how many of the waiting bytes arrive at once."""
    up, down = b"", b""
    for _ in range(100_000):
        box.offer_all()
        hub.offer_all()
        up += box.session.data_to_send()
        down += hub.session.data_to_send()
        if not up and not down:
            return
        length = cut(len(up)) if up else 0
        hub.receive(up[:length])
        up = up[length:]
        length = cut(len(down)) if down else 0
        box.receive(down[:length])
        down = down[length:]
    raise AssertionError("never came to rest")


def greeted_pair() -> tuple[End, End]:
    box, hub = box_end(), hub_end()
    talk(box, hub)
    return box, hub


def of_type(end: End, shape: type[Event]) -> list[Event]:
    return [event for event in end.events if isinstance(event, shape)]


# --- two good ends ---


def test_the_hellos_tell_each_end_where_the_other_stands() -> None:
    """From the two hellos both know what to send; a box that was restored sees here that the hub has more of it."""
    records = chain(REPORT, 3)
    ahead = position_after(chain("all/control", 2)[-1])
    box = End(Session.box("dengfeng", {"all/control": ahead}, position_after(records[-1]), "0.1", AT_US), {})
    hub = End(
        Session.hub("dengfeng", "songshan", position_after(records[1]), {"all/control": ahead}, "0.2", AT_US + 5), {}
    )
    talk(box, hub)
    nowhere = {stream: genesis(stream) for stream in STREAMS}
    positions = nowhere | {"all/control": ahead}
    assert box.events == [Greeted("songshan", "0.2", AT_US + 5, {REPORT: position_after(records[1])}, positions)]
    assert hub.events == [Greeted("dengfeng", "0.1", AT_US, positions, {REPORT: position_after(records[-1])})]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_all_records_arrive_once_and_in_order_however_the_line_cuts_the_bytes(data: st.DataObject) -> None:
    """TCP promises bytes, not lines: any split must give the same records at the other end."""
    writes = {stream: chain(stream, data.draw(st.integers(0, 5))) for stream in STREAMS}
    report = chain(REPORT, data.draw(st.integers(0, 5)))
    box, hub = box_end(report), hub_end(writes)
    step = data.draw(st.integers(1, 5000))
    talk(box, hub, lambda length: min(length, data.draw(st.integers(1, step)) if step > 200 else step))
    assert {stream: records for stream, records in box.taken.items() if records} == {
        stream: records for stream, records in writes.items() if records
    }
    assert hub.taken.get(REPORT, []) == report


def test_a_long_history_goes_in_bounded_batches_one_at_a_time() -> None:
    """A box that was away for a month must not make the hub hold a month in memory."""
    many, large = chain("all/content", 600), chain("dengfeng/content", 9, 20_000)
    box, hub = box_end(), hub_end({"all/content": many, "dengfeng/content": large})
    talk(box, hub)
    assert (box.taken["all/content"], box.taken["dengfeng/content"]) == (many, large)
    sizes = [
        (len(event.records), sum(len(record.header_bytes) + len(record.body or b"") for record in event.records))
        for event in box.events
        if isinstance(event, RecordsArrived)
    ]
    assert all(count <= wire.RECORDS_PER_BATCH and size <= wire.BATCH_BYTES for count, size in sizes)
    assert len(of_type(hub, Acked)) == len(sizes)


def test_a_batch_holds_at_least_one_record_however_large() -> None:
    """Else a record of the greatest size would stop its stream for ever."""
    small, large = chain("all/content", 2), chain("all/content", 2, 100_000)
    assert (len(batch_of(small)), len(batch_of(large)), len(batch_of([]))) == (2, 1, 0)
    assert len(batch_of(chain("all/content", 300))) == wire.RECORDS_PER_BATCH


def test_control_goes_before_content_whatever_was_queued_first() -> None:
    """A recall must not wait behind the day's stories."""
    writes = {stream: chain(stream, 1) for stream in reversed(STREAMS)}
    box, hub = box_end(), hub_end(writes)
    hub.receive(box.session.data_to_send())
    hub.session.data_to_send()
    hub.offer_all()
    lines = [json.loads(line) for line in hub.session.data_to_send().splitlines()]
    assert [line["stream"] for line in lines] == list(STREAMS)


def test_small_lines_go_before_batches_and_the_status_last() -> None:
    """An acknowledgement frees the peer's window, a status helps nobody who waits for a recall."""
    box, _ = greeted_pair()
    box.session.send_status({"n": 1})
    box.session.send_status({"n": 2})
    box.writes = {REPORT: chain(REPORT, 1)}
    box.offer_all()
    box.session.ping(7)
    lines = [json.loads(line) for line in box.session.data_to_send().splitlines()]
    assert [line["t"] for line in lines] == ["ping", "records", "status"]
    assert lines[-1]["status"] == {"n": 2}
    assert box.session.data_to_send() == b""


def test_the_key_that_tells_lines_apart_comes_first() -> None:
    """The formats page promises it, so that a reader can tell a line by its beginning."""
    box, hub = box_end(chain(REPORT, 1)), hub_end()
    hub.receive(box.session.data_to_send())
    assert hub.session.data_to_send().startswith(b'{"t":"hello","v":1,')


def test_status_deliveries_pings_and_goodbyes_arrive_as_said() -> None:
    """What is not in a journal still has to come through whole."""
    box, hub = greeted_pair()
    box.session.send_status({"disk_free_bytes": 5, "名": "登封"})
    box.session.delivered(DIGEST)
    box.session.ping(3)
    talk(box, hub)
    hub.session.bye(WHY)
    talk(box, hub)
    assert hub.events[1:] == [Delivered(DIGEST), StatusArrived({"disk_free_bytes": 5, "名": "登封"})]
    assert box.events[1:] == [Pong(3), DeliveredAnswered(DIGEST, "taken", WHY), PeerSaidBye(WHY)]
    assert box.session.is_over
    assert hub.session.is_over


def test_an_idle_checkpoint_arrives_without_an_answer() -> None:
    """It shows how fresh the view is and must not cost the window."""
    box, hub = greeted_pair()
    checkpoint = sign_checkpoint(genesis("all/control"), AT_US, AT_US + 1, KEY)
    hub.session.offer("all/control", (), checkpoint)
    assert hub.session.may_send("all/control")
    talk(box, hub)
    assert box.events[1:] == [CheckpointArrived("all/control", checkpoint)]


def test_a_refused_stream_is_closed_and_the_others_go_on() -> None:
    """A fork in one stream must neither loop nor stop a recall in another."""
    box, hub = greeted_pair()
    hub.session.offer("all/content", chain("all/content", 1), None)
    [arrived] = box.session.receive(hub.session.data_to_send())
    assert isinstance(arrived, RecordsArrived)
    assert not hub.session.may_send("all/content")
    box.session.refuse("all/content", Verdict.FORKED, WHY)
    hub.receive(box.session.data_to_send())
    assert hub.events[1:] == [RefusedBy("all/content", Verdict.FORKED, WHY)]
    assert not hub.session.may_send("all/content")
    hub.writes = {"all/control": chain("all/control", 2)}
    talk(box, hub)
    assert box.taken == hub.writes


def test_a_record_with_a_wrong_body_is_refused_and_the_session_goes_on() -> None:
    """One damaged record is no reason to cut the line that a recall may come on; and it is never taken."""
    box, hub = greeted_pair()
    good = chain("all/content", 1)[0]
    line = records_line("all/content", [[good.header_bytes.decode(), '{"n": 0, "fill": "别"}']])
    [event] = box.session.receive(line)
    assert isinstance(event, BrokenArrived)
    hub.session.offer("all/content", [good], None)
    hub.session.data_to_send()
    hub.receive(box.session.data_to_send())
    [refused] = of_type(hub, RefusedBy)
    assert isinstance(refused, RefusedBy)
    assert refused.verdict is Verdict.BROKEN
    hub.writes = {"all/control": chain("all/control", 1)}
    talk(box, hub)
    assert box.taken["all/control"] == hub.writes["all/control"]


def test_what_comes_on_a_stream_after_it_was_refused_is_dropped() -> None:
    """The peer may not have read the refusal yet; nothing of it may reach the judge."""
    box, _ = greeted_pair()
    good = chain("all/content", 1)[0]
    box.session.refuse("all/content", Verdict.REWOUND, WHY)
    assert box.session.receive(records_line("all/content", [[good.header_bytes.decode(), None]])) == []


def test_a_redacted_body_travels_as_null() -> None:
    """The chain goes on over what was erased."""
    box, _ = greeted_pair()
    good = chain("all/content", 1)[0]
    [event] = box.session.receive(records_line("all/content", [[good.header_bytes.decode(), None]]))
    assert isinstance(event, RecordsArrived)
    assert (event.records[0].hash, event.records[0].body) == (good.hash, None)


# --- small assets ---


def line_of(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def given_line(digest: str, content: bytes, size_bytes: int | None = None) -> bytes:
    return line_of(t="given", digest=digest, size_bytes=len(content) if size_bytes is None else size_bytes) + content


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=300) | st.just(b'{"t":"bye"}\n'), unique=True, max_size=6), st.integers(1, 400))
def test_small_assets_come_as_they_are_however_the_line_cuts_the_bytes(contents: list[bytes], step: int) -> None:
    """Their bytes may look like lines, and lines may come in the same packet: neither is taken for the other."""
    box, hub = greeted_pair()
    box.session.giving.ask_for([digest_of(content) for content in contents] + [DIGEST])
    hub.receive(box.session.data_to_send())
    hub.writes = {"all/control": chain("all/control", 2)}
    hub.acked = {"all/control": 0}
    for content in contents:
        hub.session.giving.give(digest_of(content), content)
    hub.session.giving.cannot_give(DIGEST, WHY)
    talk(box, hub, lambda length: min(length, step))
    assert of_type(box, AssetGiven) == [AssetGiven(digest_of(content), content) for content in contents]
    assert of_type(box, AssetNotGiven) == [AssetNotGiven(DIGEST, WHY)]
    assert box.taken == hub.writes
    assert box.session.giving.left() == hub.session.giving.left() == wire.OWED_MAX


def test_what_is_given_in_the_order_in_which_it_was_asked_for_is_not_named_again() -> None:
    """A name is half of what the line carries beside a caption; out of order, or to an older box, it is said."""
    digests = [digest_of(b"%d" % number) for number in range(4)]
    box, hub = greeted_pair()
    box.session.giving.ask_for(digests)
    hub.receive(box.session.data_to_send())
    for number in (0, 2, 1, 3):
        hub.session.giving.give(digests[number], b"%d" % number)
    data = hub.session.data_to_send()
    assert [json.loads(line).get("digest") for line in data.splitlines()[::2]] == [None, digests[2], None, None]
    box.receive(data)
    assert {each.digest: each.content for each in of_type(box, AssetGiven)} == {
        digest: b"%d" % number for number, digest in enumerate(digests)
    }
    hub.session.receive(line_of(t="give", digests=digests[:1]))
    hub.session.giving.give(digests[0], b"0")
    assert json.loads(hub.session.data_to_send().splitlines()[0])["digest"] == digests[0]


def test_one_that_does_not_come_moves_the_others_up() -> None:
    """Said before them or after: each has the bytes that are its own."""
    digests = [digest_of(b"%d" % number) for number in range(4)]
    box, hub = greeted_pair()
    box.session.giving.ask_for(digests)
    hub.receive(box.session.data_to_send())
    hub.session.giving.give(digests[0], b"0")
    hub.session.giving.cannot_give(digests[1], WHY)
    hub.session.giving.give(digests[2], b"2")
    box.receive(hub.session.data_to_send())
    hub.session.giving.give(digests[3], b"3")
    box.receive(hub.session.data_to_send())
    assert [each.digest for each in of_type(box, AssetGiven)] == [digests[0], digests[2], digests[3]]


def test_a_recall_that_is_written_later_goes_before_small_assets_that_wait() -> None:
    """Else the session would be the worse place for them."""
    box, hub = greeted_pair()
    box.session.giving.ask_for([digest_of(b"a")])
    hub.receive(box.session.data_to_send())
    hub.session.giving.give(digest_of(b"a"), b"a")
    hub.writes = {"all/control": chain("all/control", 1)}
    hub.offer_all()
    lines = hub.session.data_to_send().splitlines()
    assert [json.loads(line)["t"] for line in lines[:2]] == ["records", "given"]


def test_many_are_asked_for_in_small_lines() -> None:
    """A line that is too long would end the session."""
    box, hub = greeted_pair()
    digests = tuple(f"sha256:{n:064x}" for n in range(wire.OWED_MAX))
    box.session.giving.ask_for(digests)
    talk(box, hub)
    asked = [digest for event in hub.events if isinstance(event, GiveAsked) for digest in event.digests]
    assert (tuple(asked), box.session.giving.left()) == (digests, 0)


def test_a_hub_says_what_it_gives_and_an_older_one_gives_nothing() -> None:
    """A box must not wait for what its hub has never heard of."""
    box = box_end()
    hub = End(Session.hub("dengfeng", "songshan", genesis(REPORT), {}, "0.1", AT_US, gives_bytes_max=10**9), {})
    talk(box, hub)
    [greeted] = of_type(box, Greeted)
    assert isinstance(greeted, Greeted)
    assert greeted.gives_bytes_max == wire.GIVEN_BYTES_MAX
    older = {"t": "hello", "v": 1, "hub": "h", "time": "2026-11-24T06:00:00Z", "have": {}, "streams": {}}
    [greeting] = box_end().session.receive(line_of(**older))
    assert isinstance(greeting, Greeted)
    assert greeting.gives_bytes_max == 0


def test_bytes_that_are_others_are_not_taken_for_the_asset() -> None:
    """A hub that was taken over, or a bad disk of its: the box does not even see them."""
    box, _ = greeted_pair()
    box.session.giving.ask_for([DIGEST])
    [event] = box.session.receive(given_line(DIGEST, b"something else") + b"\n")
    assert isinstance(event, AssetNotGiven)
    assert event.is_wrong


@pytest.mark.parametrize(
    "said",
    [
        given_line("sha256:" + "cd" * 32, b"not asked for") + b"\n",
        given_line(DIGEST, b"x" * (wire.GIVEN_BYTES_MAX + 1)) + b"\n",
        given_line(DIGEST, b"longer than was said", 5) + b"\n",
        given_line(DIGEST, b"", -1) + b"\n",
        (given_line(DIGEST, b"twice") + b"\n") * 2,
        line_of(t="not_given", digest="sha256:" + "cd" * 32, reason={"zh": "", "en": ""}),
    ],
    ids=["not asked for", "too large", "longer than was said", "less than nothing", "twice", "a refusal not asked for"],
)
def test_a_hub_cannot_push_bytes_at_a_box(said: bytes) -> None:
    """What was not asked for costs a box neither memory nor disk."""
    box, _ = greeted_pair()
    box.session.giving.ask_for([DIGEST])
    box.session.data_to_send()
    ends_with_a_goodbye(box.session, said)


# --- bad peers ---


def records_line(stream: str, records: list[list[str | None]]) -> bytes:
    return line_of(t="records", stream=stream, records=records, checkpoint=None)


HEAD = {"epoch": 1, "seq": 0, "head": "0" * 64}
HELLO = {
    "t": "hello",
    "v": 1,
    "site": "dengfeng",
    "software": "x",
    "time": "2026-11-24T06:00:00Z",
    "have": {},
    "offer": HEAD,
}
HEADER = chain(REPORT, 1)[0].header_bytes.decode()
BEFORE_HELLO = {
    "empty line": b"\n",
    "not JSON": b"hello\n",
    "not UTF-8": b'{"t":"hello\xff"}\n',
    "a list": b"[]\n",
    "ssh banner": b"SSH-2.0-OpenSSH_9.2\r\n",
    "no t": b"{}\n",
    "unknown t": line_of(t="shell", command="id"),
    "ping first": line_of(t="ping", n=1),
    "records first": records_line(REPORT, [[HEADER, None]]),
    "version 2": line_of(**HELLO | {"v": 2}),
    "another site": line_of(**HELLO | {"site": "zhongmu"}),
    "another site's stream": line_of(**HELLO | {"have": {"zhongmu/control": HEAD}}),
    "no offer": line_of(**{key: value for key, value in HELLO.items() if key != "offer"}),
    "epoch 0": line_of(**HELLO | {"offer": HEAD | {"epoch": 0}}),
    "negative sequence": line_of(**HELLO | {"offer": HEAD | {"seq": -1}}),
    "huge number": line_of(**HELLO | {"offer": HEAD | {"seq": 10**4299}}),
    "head is no hash": line_of(**HELLO | {"offer": HEAD | {"head": "x"}}),
    "no time": line_of(**HELLO | {"time": "now"}),
    "hub's hello": line_of(t="hello", v=1, hub="h", time="2026-11-24T06:00:00Z", have={}, streams={}),
    "deep nesting": b'{"t":"status","status":' + b"[" * 50_000 + b"\n",
}
AFTER_HELLO = {
    "hello twice": line_of(**HELLO),
    "another site's report": records_line("zhongmu/report", [[HEADER, None]]),
    "the hub's own stream": records_line("all/control", [[HEADER, None]]),
    "no records": records_line(REPORT, []),
    "257 records": records_line(REPORT, [[HEADER, None]] * 257),
    "header missing": line_of(t="records", stream=REPORT, records=[[None, None]]),
    "second batch": records_line(REPORT, [[HEADER, None]]) * 2,
    "checkpoint of the hub's": line_of(t="checkpoint", stream="all/control", checkpoint=["", ""]),
    "ack of nothing": line_of(t="ack", stream="all/control", **HEAD),
    "ack of its own stream": line_of(t="ack", stream=REPORT, **HEAD),
    "refuse its own stream": line_of(t="refuse", stream=REPORT, verdict="forked", reason={"zh": "", "en": ""}),
    "unknown verdict": line_of(t="refuse", stream="all/control", verdict="tired", reason={"zh": "", "en": ""}),
    "delivered no digest": line_of(t="delivered", digest="../../etc/passwd"),
    "delivered bare hex": line_of(t="delivered", digest="ab" * 32),
    "too many deliveries": b"".join(
        line_of(t="delivered", digest=f"sha256:{n:064x}") for n in range(DELIVERIES_MAX + 1)
    ),
    "the hub's answer": line_of(t="delivered_answer", digest=DIGEST, verdict="taken", reason={"zh": "", "en": ""}),
    "give no digest": line_of(t="give", digests=["../../etc/passwd"]),
    "give bare hex": line_of(t="give", digests=["ab" * 32]),
    "give nothing": line_of(t="give", digests=[]),
    "give twice": line_of(t="give", digests=[DIGEST, DIGEST]),
    "give again": line_of(t="give", digests=[DIGEST]) * 2,
    "give too much": b"".join(
        line_of(t="give", digests=[f"sha256:{256 * n + m:064x}" for m in range(256)]) for n in range(5)
    ),
    "give more than a line": line_of(t="give", digests=[f"sha256:{n:064x}" for n in range(wire.GIVE_MAX + 1)]),
    "the hub's asset": line_of(t="given", digest=DIGEST, size_bytes=0) + b"\n",
    "status is a list": line_of(t="status", status=[]),
    "long status": line_of(t="status", status={"x": "y" * wire.SMALL_LINE_BYTES_MAX}),
    "deep status": b'{"t":"status","status":{"a":' + b"[" * 50_000 + b"\n",
    "10 MB body": records_line(REPORT, [[HEADER, '{"a":"' + "x" * 10_000_000 + '"}']]),
    "endless line": b'{"t":"status","status":{"a":"' + b"x" * wire.LINE_BYTES_MAX,
    "surrogate": b'{"t":"records","stream":"dengfeng/report","records":[["\\ud800",null]]}\n',
}


@pytest.mark.parametrize("said", BEFORE_HELLO.values(), ids=BEFORE_HELLO.keys())
def test_a_bad_beginning_ends_the_session_with_a_reason(said: bytes) -> None:
    """Nothing is told to a peer that did not say who it is in the way that was agreed."""
    hub = hub_end({"dengfeng/control": chain("dengfeng/control", 1)})
    hub.session.data_to_send()
    ends_with_a_goodbye(hub.session, said)


def test_a_key_used_in_another_s_name_is_called_what_it_is() -> None:
    """The hub's log of refusals must tell a stolen name from a garbled line."""
    with pytest.raises(ProtocolError, match="this key is dengfeng's alone"):
        hub_end().session.receive(line_of(**HELLO | {"site": "zhongmu"}))


@pytest.mark.parametrize("said", AFTER_HELLO.values(), ids=AFTER_HELLO.keys())
def test_bad_words_in_a_session_end_it_with_a_reason(said: bytes) -> None:
    """A box that was taken over must not be able to write what is not its own, nor to fill the hub's memory."""
    _, hub = greeted_pair()
    ends_with_a_goodbye(hub.session, said)


def ends_with_a_goodbye(session: Session, said: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        session.receive(said)
    assert caught.value.problems[0].zh
    [last] = session.data_to_send().splitlines()
    assert json.loads(last)["t"] == "bye"
    assert session.is_over
    assert not any(session.may_send(stream) for stream in STREAMS)
    assert session.receive(line_of(t="ping", n=1)) == []
    assert session.data_to_send() == b""


def test_a_box_does_not_take_a_hub_s_words_that_only_a_box_may_say() -> None:
    """A hub that was taken over must not make a box talk about deliveries that it never made."""
    for said in (
        line_of(t="status", status={}),
        line_of(t="delivered", digest=DIGEST),
        line_of(t="delivered_answer", digest=DIGEST, verdict="taken", reason={"zh": "", "en": ""}),
        records_line("zhongmu/content", [[HEADER, None]]),
        records_line(REPORT, [[HEADER, None]]),
    ):
        box, _ = greeted_pair()
        ends_with_a_goodbye(box.session, said)


def test_a_peer_that_asks_without_reading_is_cut_off() -> None:
    """Answers wait in memory until they are read; somebody who never reads must not fill it."""
    _, hub = greeted_pair()
    pings = line_of(t="ping", n=1) * 100
    with pytest.raises(ProtocolError):
        for _ in range(20):
            hub.session.receive(pings)


@settings(deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_random_bytes_are_an_error_or_nothing(garbage: bytes, greeted: bool) -> None:
    """No bytes may bring an end down in any other way than the one that its owner expects."""
    _, hub = greeted_pair() if greeted else (None, hub_end())
    with pytest.raises(ProtocolError):
        hub.session.receive(garbage.replace(b"\n", b" ") + b"\n")


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_flipped_byte_never_brings_a_wrong_record_in(data: st.DataObject) -> None:
    """Bit rot on the way ends in a refusal or in the very bytes that were sent, never in other ones."""
    records = chain("all/control", 2)
    box, hub = greeted_pair()
    hub.session.offer("all/control", records, sign_checkpoint(position_after(records[-1]), AT_US, AT_US + 1, KEY))
    sent = bytearray(hub.session.data_to_send())
    sent[data.draw(st.integers(0, len(sent) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        events = box.session.receive(bytes(sent))
    except ProtocolError:
        return
    for event in events:
        if isinstance(event, RecordsArrived):
            last: Position = genesis("all/control")
            accepted = judge(last, event.records, event.checkpoint, KEY.public_key()).accepted
            assert list(accepted) in ([], records)
