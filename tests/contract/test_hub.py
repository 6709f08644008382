"""What a box relies on in a hub, asked of the simulated hub and of the real one alike."""

import hashlib
import json
import select
from collections.abc import Iterator
from contextlib import closing

import pytest

from appliance.core import records, wire
from appliance.core.asset import Asset
from appliance.core.errors import HubUnreachable
from appliance.core.events import (
    Acked,
    AssetGiven,
    AssetNotGiven,
    CheckpointArrived,
    DeliveredAnswered,
    Pong,
    RecordsArrived,
    RefusedBy,
)
from appliance.core.item import Item
from appliance.core.journal import append, parse_record, position_after
from appliance.core.judge import Verdict
from tests.contract.box import TIMEOUT_S, Box, HubUnderTest, Talk, chain, is_sign_of_life, now_us

AT = "2026-11-24T06:00:00Z"
ORDER = b'{"id":"o1","title":"\xe9\x98\xb2\xe6\xb1\x9b"}'
NO_HEAD = {"epoch": 1, "seq": 0, "head": "0" * 64}


@pytest.fixture
def talk(dengfeng: Box) -> Iterator[Talk]:
    """A session past the greeting, with nothing new to come."""
    with closing(dengfeng.connect()) as talk:
        for stream, head in talk.greeting.heads.items() if talk.greeting else ():
            while head != dengfeng.have().get(stream, head) or (head.seq and stream not in dengfeng.have()):
                talk.pump()
        yield talk


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


# --- what the hub says ---


def test_the_hello_tells_both_heads(hub: HubUnderTest, dengfeng: Box) -> None:
    """From the hello a box knows what it will get, and whether the hub has as much of the box's stream as it wrote."""
    record = hub.append("all/control", "order", "o1", ORDER)
    with closing(dengfeng.connect()) as talk:
        assert talk.greeting is not None
        assert set(talk.greeting.heads) == set(wire.streams_of_hub("dengfeng"))
        assert talk.greeting.heads["all/control"] == position_after(record)
        assert talk.greeting.have == {"dengfeng/report": dengfeng.head()}


def test_what_was_written_while_the_box_was_away_comes_on_return(hub: HubUnderTest, dengfeng: Box) -> None:
    """Offline is normal: nothing may be lost, and the order stays."""
    written = [hub.append("dengfeng/control", "order", f"o{number}", ORDER) for number in range(5)]
    with closing(dengfeng.connect()) as talk:
        talk.wait_for_head("dengfeng/control", written[-1])
    assert dengfeng.accepted["dengfeng/control"][-5:] == written


def test_a_record_comes_the_moment_it_is_written(hub: HubUnderTest, dengfeng: Box, talk: Talk) -> None:
    """A recall takes a round trip and no polling: the box asks for nothing and gets it."""
    first = hub.append("all/control", "order", "o2", ORDER)
    talk.wait_for_head("all/control", first)
    second = hub.append("dengfeng/content", "filler", "dengfeng-1", b'{"channel":"dengfeng-1"}')
    talk.wait_for_head("dengfeng/content", second)


def test_what_the_box_has_does_not_come_again(hub: HubUnderTest, dengfeng: Box, talk: Talk) -> None:
    """The box's own word in the hello decides where the hub goes on."""
    talk.close()
    before = {stream: list(taken) for stream, taken in dengfeng.accepted.items()}
    record = hub.append("all/content", "filler", "x", b'{"channel":"x"}')
    with closing(dengfeng.connect()) as again:
        arrived = again.wait(RecordsArrived)
        assert (arrived.stream, arrived.records) == ("all/content", (record,))
    assert dengfeng.accepted["all/content"] == [*before.get("all/content", []), record]


def test_a_box_that_lost_all_gets_all(hub: HubUnderTest, dengfeng: Box) -> None:
    """A new disk starts from nothing, with the same identity."""
    records_of_all = [hub.append("all/control", "order", f"o{number}", ORDER) for number in range(3)]
    new = Box(hub, "dengfeng")
    with closing(new.connect()) as talk:
        talk.wait_for_head("all/control", records_of_all[-1])
    assert [record.header.seq for record in new.accepted["all/control"]] == [
        *range(1, records_of_all[-1].header.seq + 1)
    ]


def test_control_comes_before_content(hub: HubUnderTest, dengfeng: Box) -> None:
    """After an outage the recall must be known before the story that it recalls."""
    hub.append("all/content", "filler", "x", b'{"channel":"x"}')
    hub.append("dengfeng/content", "filler", "x", b'{"channel":"x"}')
    hub.append("dengfeng/control", "order", "o1", ORDER)
    hub.append("all/control", "order", "o1", ORDER)
    with closing(dengfeng.connect()) as talk:
        came = [talk.wait(RecordsArrived).stream for _ in range(4)]
    assert came == list(wire.streams_of_hub("dengfeng"))


def test_a_long_absence_comes_in_batches(hub: HubUnderTest, dengfeng: Box) -> None:
    """Neither end holds a month in memory, and each batch stands under a signature of its own."""
    body = json.dumps({"channel": "x", "note": "n" * 3000}).encode()
    written = [hub.append("all/content", "filler", f"f{number}", body) for number in range(100)]
    with closing(dengfeng.connect()) as talk:
        talk.wait_for_head("all/content", written[-1])
        batches = [event for event in talk.events if isinstance(event, RecordsArrived)]
    assert len(batches) > 1
    assert all(
        sum(len(record.header_bytes) + len(record.body or b"") for record in batch.records) <= wire.BATCH_BYTES
        for batch in batches
    )
    assert dengfeng.accepted["all/content"][-100:] == written


def test_another_site_s_records_do_not_come(hub: HubUnderTest, dengfeng: Box, talk: Talk) -> None:
    """What is meant for zhongmu is none of dengfeng's business."""
    hub.append("zhongmu/control", "order", "secret", ORDER)
    own = hub.append("dengfeng/control", "order", "own", ORDER)
    talk.wait_for_head("dengfeng/control", own)
    assert set(dengfeng.accepted) <= set(wire.streams_of_hub("dengfeng"))


def test_an_idle_hub_gives_a_sign_of_life(dengfeng: Box, talk: Talk) -> None:
    """The screen shows how old the box's view is; silence alone could be a hub that is held back."""
    talk.close()
    with closing(dengfeng.connect()) as again:
        arrived = again.wait(CheckpointArrived)
        assert is_sign_of_life(arrived, dengfeng)


def test_a_ping_is_answered(talk: Talk) -> None:
    """The box tells a slow line from a dead one."""
    talk.session.ping(42)
    assert talk.wait(Pong).n == 42


# --- what the hub takes ---


def test_own_records_are_kept_and_acknowledged(hub: HubUnderTest, dengfeng: Box) -> None:
    """Acknowledged means that the box may forget about sending it, so the next hello must say the same."""
    with closing(dengfeng.connect()) as talk:
        for _ in range(2):
            written = dengfeng.written(3)
            talk.send(written)
            assert talk.wait(Acked).position == position_after(written[-1])
            assert hub.held("dengfeng")[-3:] == written
    with closing(dengfeng.connect()) as again:
        assert again.greeting is not None
        assert again.greeting.have["dengfeng/report"] == position_after(written[-1])


def test_records_that_come_twice_are_acknowledged_and_kept_once(hub: HubUnderTest, dengfeng: Box, talk: Talk) -> None:
    """The line breaks between the hub's disk and the acknowledgement; the box sends again."""
    written = dengfeng.written(3)
    talk.send(written)
    talk.wait(Acked)
    held = hub.held("dengfeng")
    talk.send(written[1:])
    assert talk.wait(Acked).position == position_after(written[-1])
    more = [*written[2:], *chain(position_after(written[-1]), 1, "more")]
    talk.send(more)
    assert talk.wait(Acked).position == position_after(more[-1])
    assert hub.held("dengfeng") == [*held, more[-1]]


def test_a_kind_from_the_future_is_kept(hub: HubUnderTest, dengfeng: Box, talk: Talk) -> None:
    """A box upgraded before its hub must not be stuck."""
    record = append(dengfeng.head(), "from-the-future", "k", b'{"a":1}', now_us())
    talk.send([record])
    assert talk.wait(Acked).position == position_after(record)
    assert hub.held("dengfeng")[-1] == record


def test_a_redacted_body_is_kept_as_such(hub: HubUnderTest, dengfeng: Box, talk: Talk) -> None:
    """A citizen's tip that was erased on the box must not stop what comes after it."""
    first, second = dengfeng.written(2)
    redacted = parse_record(first.header_bytes, None)
    talk.send([redacted, second])
    assert talk.wait(Acked).position == position_after(second)
    assert hub.held("dengfeng")[-2:] == [redacted, second]


def test_a_fork_is_refused_and_the_other_streams_go_on(hub: HubUnderTest, dengfeng: Box, talk: Talk) -> None:
    """A cloned disk writes where the original wrote: neither may win silently, and a recall must still come through."""
    start = dengfeng.head()
    ours = dengfeng.written(2, "ours")
    talk.send(ours)
    talk.wait(Acked)
    held = hub.held("dengfeng")
    theirs = chain(start, 3, "theirs")
    talk.send(theirs)
    assert talk.wait(RefusedBy).verdict is Verdict.FORKED
    assert hub.held("dengfeng") == held
    assert not talk.session.may_send("dengfeng/report")
    talk.wait_for_head("all/control", hub.append("all/control", "order", "o9", ORDER))


def test_a_box_that_went_back_is_refused(hub: HubUnderTest, dengfeng: Box, talk: Talk) -> None:
    """A box restored from an old image signs an old head: it must learn that before it writes on."""
    written = dengfeng.written(3)
    talk.send(written)
    talk.wait(Acked)
    talk.offer([], dengfeng.signed(position_after(written[0])))
    assert talk.wait(RefusedBy).verdict is Verdict.REWOUND
    assert hub.held("dengfeng")[-3:] == written


@pytest.mark.parametrize(
    "fault", ["signature", "no checkpoint", "link", "sequence", "foreign checkpoint", "body", "huge body"]
)
def test_what_does_not_hold_is_refused_logged_and_not_kept(
    hub: HubUnderTest, dengfeng: Box, talk: Talk, fault: str
) -> None:
    """Only what the site's key vouches for, unbroken from the first record on, is in its stream."""
    held, refused = hub.held("dengfeng"), hub.refusals()
    written = dengfeng.written(3)
    head = position_after(written[-1])
    header = written[0].header_bytes.decode()
    match fault:
        case "signature":
            talk.offer(written, dengfeng.signed(head, hub.site_key("zhongmu")))
        case "no checkpoint":
            talk.offer(written, None)
        case "link":
            swapped = chain(dengfeng.head(), 2, "swapped")[1]
            talk.offer([written[0], swapped, written[2]], dengfeng.signed(head))
        case "sequence":
            talk.offer(written[1:], dengfeng.signed(head))
        case "foreign checkpoint":
            foreign = chain(Box(hub, "zhongmu").head(), 3, "foreign")
            talk.offer(written, dengfeng.signed(position_after(foreign[-1])))
        case "body":
            talk.say(line(t="records", stream="dengfeng/report", records=[[header, '{"id":"other"}']]))
        case "huge body":
            talk.say(line(t="records", stream="dengfeng/report", records=[[header, '{"a":"' + "x" * 2_000_000 + '"}']]))
    assert talk.wait(RefusedBy).stream == "dengfeng/report"
    assert hub.held("dengfeng") == held
    assert hub.refusals() > refused


# --- what is not the box's business ---


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


@pytest.mark.parametrize(
    "what", ["another site's stream", "the hub's stream", "not JSON", "endless line", "second hello"]
)
def test_a_box_that_leaves_its_place_is_shown_the_door(hub: HubUnderTest, dengfeng: Box, talk: Talk, what: str) -> None:
    """A box that was taken over can neither write another's stream nor wear the hub out; and it is on record."""
    zhongmu = chain(Box(hub, "zhongmu").head(), 1, "forged")[0]
    held, refused = hub.held("zhongmu"), hub.refusals()
    pair = [zhongmu.header_bytes.decode(), (zhongmu.body or b"").decode()]
    said = {
        "another site's stream": line(t="records", stream="zhongmu/report", records=[pair]),
        "the hub's stream": line(t="records", stream="all/control", records=[pair]),
        "not JSON": b"GET / HTTP/1.1\n",
        "endless line": b'{"t":"status","status":"' + b"x" * (wire.LINE_BYTES_MAX + 1),
        "second hello": hello("dengfeng"),
    }[what]
    talk.say(said)
    talk.wait_for_the_end()
    assert talk.session.is_over
    assert hub.held("zhongmu") == held
    assert hub.refusals() > refused


def hello(site: str, **have: object) -> bytes:
    return line(t="hello", v=1, site=site, software="x", time=AT, have=have, offer=NO_HEAD)


@pytest.mark.parametrize(
    "said", [hello("zhongmu"), hello("dengfeng", **{"zhongmu/control": NO_HEAD}), b'{"t":"ping","n":1}\n']
)
def test_a_hello_in_another_s_name_opens_nothing(hub: HubUnderTest, said: bytes) -> None:
    """The key says who it is; what the box says of itself can only be wrong."""
    hub.append("zhongmu/control", "order", "secret", ORDER)
    refused = hub.refusals()
    with closing(hub.connect("dengfeng")) as opened:
        opened.write(said)
        came = b""
        with pytest.raises(HubUnreachable):
            while select.select([opened], [], [], TIMEOUT_S)[0]:
                came += opened.read()
    assert b'"records"' not in came
    assert b"secret" not in came
    assert b'"bye"' in came
    assert hub.refusals() > refused


# --- small assets ---


def test_small_assets_that_the_site_may_read_are_given_in_the_session(hub: HubUnderTest, talk: Talk) -> None:
    """A caption of two kilobytes is here a round trip after the record that names it, and not a connection later."""
    assert talk.greeting is not None
    assert talk.greeting.gives_bytes_max == wire.GIVEN_BYTES_MAX
    contents = [b"caption\n" * 250, b"", b"x" * wire.GIVEN_BYTES_MAX, *(b"%d" % number * 9000 for number in range(9))]
    digests = [hub.let_read("dengfeng", content) for content in contents]
    talk.session.giving.ask_for(digests)
    came = {event.digest: event.content for event in (talk.wait(AssetGiven) for _ in digests)}
    assert came == dict(zip(digests, contents, strict=True))


def test_what_is_not_for_the_site_is_not_given_and_nobody_learns_whether_it_exists(
    hub: HubUnderTest, talk: Talk
) -> None:
    """The session is the one door that no rrsync stands at."""
    other, nowhere = hub.let_read("zhongmu", b"for zhongmu alone"), digest_of(b"never published")
    large = hub.let_read("dengfeng", b"x" * (wire.GIVEN_BYTES_MAX + 1))
    own = hub.let_read("dengfeng", b"ours")
    talk.session.giving.ask_for([other, nowhere, large, own])
    refused = {event.digest: event.reason for event in (talk.wait(AssetNotGiven) for _ in range(3))}
    assert set(refused) == {other, nowhere, large}
    assert len({reason.en for reason in refused.values()}) == 1
    assert talk.wait(AssetGiven).content == b"ours"


# --- files ---


def test_a_delivery_is_answered_by_what_the_hub_finds(hub: HubUnderTest, talk: Talk) -> None:
    """The box keeps a file until the hub has hashed it; a file that came wrong or not at all must go again."""
    good, bad = b"clip " * 1000, b"other " * 1000
    hub.upload("dengfeng", digest_of(good), good)
    hub.upload("dengfeng", digest_of(bad), b"cut")
    expected = {digest_of(good): "taken", digest_of(bad): "corrupt", digest_of(b"never sent"): "missing"}
    for digest, verdict in expected.items():
        talk.session.delivered(digest)
        answer = talk.wait(DeliveredAnswered)
        assert (answer.digest, answer.verdict) == (digest, verdict)
        assert answer.reason.zh


def test_a_delivery_that_is_told_twice_is_taken_twice(hub: HubUnderTest, talk: Talk) -> None:
    """The line breaks before the answer; the box asks again and must not have to send again."""
    content = b"a clip that was told twice"
    hub.upload("dengfeng", digest_of(content), content)
    for _ in range(2):
        talk.session.delivered(digest_of(content))
        assert talk.wait(DeliveredAnswered).verdict == "taken"


@pytest.mark.parametrize("file_first", [True, False])
def test_a_submission_gets_its_receipt_once_record_and_files_are_there(
    hub: HubUnderTest, dengfeng: Box, talk: Talk, file_first: bool
) -> None:
    """Records and files travel on their own; the editor sees `arrived` when both have, and the item is on offer."""
    content = f"a clip of dengfeng {file_first}".encode()
    name = f"i-{'file' if file_first else 'record'}-first"
    asset = Asset(digest_of(content), len(content), "clip.bin")
    body = records.Submission(id=f"s-{name}", item=Item(name, "早间", "news", "dengfeng", AT, assets=(asset,)))
    record = append(dengfeng.head(), "submission", body.id, records.encode(body), now_us())
    if not file_first:
        talk.send([record])
        talk.wait(Acked)
    hub.upload("dengfeng", asset.digest, content)
    talk.session.delivered(asset.digest)
    assert talk.wait(DeliveredAnswered).verdict == "taken"
    if file_first:
        talk.send([record])
        talk.wait(Acked)

    def arrived(kind: str) -> records.Body | None:
        found = [
            records.decode(record)
            for taken in dengfeng.accepted.values()
            for record in taken
            if record.header.kind == kind and record.header.key in (body.id, name)
        ]
        return found[0] if found else None

    while arrived("receipt") is None or arrived("offer") is None:
        talk.pump()
    receipt = arrived("receipt")
    assert isinstance(receipt, records.Receipt)
    assert (receipt.submission, receipt.item, receipt.verdict) == (body.id, name, "accepted")
