"""What a stick brings to the hub and takes from it: by the way of a session, once, whoever dies or lies in between."""

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from appliance import stick as sticks
from appliance.core import carry, journal, records, wire
from appliance.core.asset import Asset
from appliance.core.errors import Refused
from appliance.core.item import Item
from appliance.core.journal import Record, append, genesis, position_after, sign_checkpoint
from appliance.core.moment import to_text, to_us
from provisioning.hub import acknowledged, enrolment, machines
from provisioning.hub.sites import site_of, write_site
from tests.appliance.boxes import dies, small_disk
from tests.carrying import HUB, SITE, Pair, new_label, pair

AT_US = 1_795_500_000_000_000
CLIP = random.Random(3).randbytes(400_000)
REPORT = f"{SITE}/report"


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        yield made


def written(count: int, word: str = "t") -> list[Record]:
    """What a box wrote: tips."""
    position, made = genesis(REPORT), list[Record]()
    for number in range(count):
        body = records.Tip(f"{word}{number}", "路灯不亮", "2026-11-24T06:00:00Z", "139")
        made.append(append(position, "tip", body.id, records.encode(body), AT_US + number))
        position = position_after(made[-1])
    return made


def submission(asset: Asset, last: Record | None = None) -> Record:
    item = Item("dengfeng-1", "乡村", "news", SITE, "2026-11-24T06:00:00Z", assets=(asset,))
    body = records.Submission("s1", item)
    return append(position_after(last) if last else genesis(REPORT), "submission", "s1", records.encode(body), AT_US)


def put(ends: Pair, *made: Record) -> Path:
    """One page on the stick, as a box signs it."""
    key = ends.box_key
    at_us = to_us(made[-1].header.at)
    checkpoint = sign_checkpoint(position_after(made[-1]), at_us, at_us + carry.CARRIED_GOOD_US, key)
    with sticks.opened(ends.stick) as stick:
        sticks.write_pages(stick, "box", REPORT, [(made, checkpoint)], None)
    return ends.page("from-box", REPORT)


def put_asset(ends: Pair, data: bytes, digest: str) -> None:
    path = ends.on_stick("from-box", digest)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


def held(ends: Pair) -> list[str]:
    return [record.header.key for record in ends.journals.stream(REPORT).records()]


def noted(ends: Pair, note: carry.Note) -> None:
    with sticks.opened(ends.stick) as stick:
        stick.write(("from-box", "note"), carry.encode_note(note, ends.box_key))


def label_of(ends: Pair) -> carry.Label:
    return carry.parse_label((ends.stick / carry.LABEL).read_bytes())


def test_a_report_is_kept_once_whatever_comes_again(ends: Pair) -> None:
    """Twice the same stick, then one that begins at the beginning, then an older one."""
    put(ends, *written(2))
    assert ends.take_in().records == 2
    assert ends.take_in().records == 0
    put(ends, *written(5))
    assert ends.take_in().records == 3
    put(ends, *written(3))
    assert ends.take_in().records == 0
    assert held(ends) == [f"t{number}" for number in range(5)]


def test_taking_in_killed_at_any_step_is_finished_by_the_next(ends: Pair) -> None:
    """Records, file, offer and receipt: each once, however often it began."""
    asset = ends.asset(CLIP)
    (ends.folder.assets / asset.digest[7:9] / asset.digest[7:]).unlink()
    put(ends, submission(asset))
    put_asset(ends, CLIP, asset.digest)
    steps = 1
    while dies(ends.take_in, steps):
        steps += 4
    assert steps > 30
    assert held(ends) == ["s1"]
    assert [record.header.kind for record in ends.journals.stream(f"{SITE}/control").records()] == ["receipt"]
    assert [record.header.kind for record in ends.journals.stream("all/content").records()] == ["offer"]
    left = [path.name for path in ends.folder.site(SITE).uploaded.iterdir()]
    assert left in ([], [asset.digest[7:]]), "at most the upload itself, which is swept like every other"


def test_an_export_killed_at_any_step_is_finished_by_the_next(ends: Pair) -> None:
    """And what is on the stick in between is never taken for more than it is."""
    digest = ends.publish(CLIP, "i1")
    ends.order("o1")
    steps = 1
    while dies(ends.export, steps):
        steps += 5
        lying = ends.on_stick("from-hub", digest)
        assert not lying.exists() or lying.read_bytes() == CLIP
        for page in (ends.stick / "from-hub").rglob("*.records"):
            carry.parse_page(page.read_bytes())
    assert steps > 30
    assert ends.on_stick("from-hub", digest).read_bytes() == CLIP


@pytest.mark.parametrize("flaw", ["forged", "flipped", "gap", "other stream"])
def test_what_the_judge_refuses_changes_nothing(ends: Pair, flaw: str) -> None:
    """The same judge as in a session; it is on record, and the county is told what to do."""
    made = written(3)
    if flaw == "gap":
        put(ends, *made[1:])
    elif flaw == "other stream":
        page = put(ends, *made)
        content = append(genesis(f"{SITE}/control"), "order", "o", b'{"id":"o","title":"t","body":""}', AT_US)
        checkpoint = sign_checkpoint(position_after(content), AT_US, AT_US, ends.box_key)
        page.write_bytes(carry.encode_page([content], checkpoint))
    else:
        page = put(ends, *made)
        data = page.read_bytes()
        other = ends.journals.key if flaw == "forged" else ends.box_key
        forged = sign_checkpoint(position_after(made[-1]), AT_US, AT_US, other)
        changed = data.replace("路灯".encode(), "路牌".encode()) if flaw == "flipped" else data
        page.write_bytes(carry.encode_page(made, forged) if flaw == "forged" else changed)
    with pytest.raises(Refused) as refused:
        ends.take_in()
    assert refused.value.hint is not None
    assert "--all" in refused.value.hint.en
    assert held(ends) == []
    assert "stick" in (ends.folder.log / "refusals.jsonl").read_text()


def test_a_file_that_is_not_what_it_is_called_is_not_kept(ends: Pair) -> None:
    """The submission waits; the next stick may bring the right bytes."""
    asset = ends.asset(CLIP)
    (ends.folder.assets / asset.digest[7:9] / asset.digest[7:]).unlink()
    put(ends, submission(asset))
    put_asset(ends, b"x" + CLIP[1:], asset.digest)
    taken = ends.take_in()
    assert (taken.waiting, len(taken.problems), taken.assets) == (1, 1, 0)
    assert list(ends.folder.site(SITE).uploaded.iterdir()) == []
    ends.on_stick("from-box", asset.digest).write_bytes(CLIP)
    assert (ends.take_in().waiting, ends.take_in().assets) == (0, 0)


def test_a_stick_of_a_site_that_is_revoked_or_of_another_hub_is_refused(ends: Pair) -> None:
    """At export and at import, with nothing read of it but the label."""
    put(ends, *written(1))
    site = site_of(ends.folder, SITE)
    with ends.folder.locked():
        write_site(ends.folder, msgspec.structs.replace(site, state="revoked"))
    for act in (ends.take_in, ends.export):
        with pytest.raises(Refused, match="is not approved"):
            act()
    with ends.folder.locked():
        write_site(ends.folder, site)
    (ends.stick / carry.LABEL).write_bytes(carry.encode_label(new_label(hub="other")))
    for act in (ends.take_in, ends.export):
        with pytest.raises(Refused, match="goes between other"):
            act()
    assert held(ends) == []


def test_a_stick_of_a_site_that_is_fenced_waits_until_a_machine_was_chosen(ends: Pair) -> None:
    """Two machines with one key: neither may write, by whatever way it comes."""
    put(ends, *written(2))
    one, other = "a" * 64, "b" * 64
    machines.note(ends.folder, SITE, lambda known: replace(known, current=other, fenced=(one, other)))
    with pytest.raises(Refused, match="chooses one"):
        ends.take_in()
    assert held(ends) == []
    enrolment.approve(ends.folder, SITE, AT_US, one)
    assert ends.take_in().records == 2
    assert held(ends) == ["t0", "t1"]


def test_a_stick_of_the_machine_that_was_not_chosen_brings_nothing(ends: Pair) -> None:
    """Its records follow on those of the site, under the site's key: only what the stick says of itself tells."""
    put(ends, *written(2))
    one, other = "a" * 64, "b" * 64
    machines.note(ends.folder, SITE, lambda known: replace(known, current=other, fenced=(one, other)))
    enrolment.approve(ends.folder, SITE, AT_US, one)
    now = to_text(ends.folder.now_us())
    noted(ends, carry.Note(1, label_of(ends).id, SITE, HUB, "box", now, machine=other))
    with pytest.raises(Refused, match="another machine was chosen"):
        ends.take_in()
    assert held(ends) == []
    noted(ends, carry.Note(1, label_of(ends).id, SITE, HUB, "box", now, machine=one))
    assert ends.take_in().records == 2


def test_the_newest_word_of_the_box_decides_what_goes(ends: Pair) -> None:
    """Its note on the stick, or what it said over the line since; a stranger's note is as good as none."""
    first = ends.order("o1")
    ends.order("o2")
    control = f"{SITE}/control"
    assert ends.export().records[control] == 2
    have = {control: wire.head_of(position_after(first))}
    now = to_text(ends.folder.now_us())
    noted(ends, carry.Note(1, label_of(ends).id, SITE, HUB, "box", now, have))
    assert ends.export().records[control] == 1
    assert ends.export(everything=True).records[control] == 2
    data = (ends.stick / "from-box" / "note").read_bytes()
    (ends.stick / "from-box" / "note").write_bytes(data.replace(b'"seq":1', b'"seq":2'))
    assert ends.export().records[control] == 1, "what was heard before stands"
    acknowledged.note(ends.folder, SITE, [ends.journals.stream(control).position()])
    assert ends.export().records[control] == 0


def test_what_a_stick_tells_of_the_box_counts_as_heard(ends: Pair) -> None:
    """Else what the county has not got yet would be compacted away while it lives on sticks."""
    control = f"{SITE}/control"
    first = ends.order("o1")
    now = to_text(ends.folder.now_us())
    have = {control: wire.head_of(position_after(first))}
    noted(ends, carry.Note(1, label_of(ends).id, SITE, HUB, "box", now, have))
    ends.take_in()
    heard = acknowledged.of_site(ends.folder, SITE)
    assert heard is not None
    assert heard.streams == {control: position_after(first)}


def test_what_the_box_asks_for_goes_first_and_what_it_holds_stays(ends: Pair) -> None:
    """By the box's own deadlines; and nothing that the site may not read, whoever asks for it."""
    digests = [ends.publish(random.Random(number).randbytes(1000), f"i{number}") for number in range(3)]
    secret = ends.asset(b"of another site").digest
    have = {f"{SITE}/content": wire.head_of(ends.journals.stream(f"{SITE}/content").position())}
    wants = (carry.Want(secret), carry.Want(digests[2], "2026-11-24T06:00:00Z"))
    now = to_text(ends.folder.now_us())
    noted(ends, carry.Note(1, label_of(ends).id, SITE, HUB, "box", now, have, wants, (digests[0],)))
    done = ends.export()
    assert (done.loaded.assets, done.records[f"{SITE}/content"]) == (1, 0)
    assert ends.on_stick("from-hub", digests[2]).exists()
    assert not ends.on_stick("from-hub", secret).exists()
    assert not ends.on_stick("from-hub", digests[0]).exists()


def test_a_box_that_stands_where_the_stream_never_was_gets_our_head(ends: Pair) -> None:
    """A cloned or restored box: its judge draws the conclusion, and the operator hears of it here."""
    ends.order("o1")
    have = {f"{SITE}/control": wire.Head(1, 1, "e" * 64)}
    now = to_text(ends.folder.now_us())
    noted(ends, carry.Note(1, label_of(ends).id, SITE, HUB, "box", now, have))
    done = ends.export()
    assert (done.records[f"{SITE}/control"], len(done.problems)) == (0, 1)
    with sticks.opened(ends.stick) as stick:
        head = sticks.read_head(stick, "hub", f"{SITE}/control")
    assert head is not None
    assert head.position == ends.journals.stream(f"{SITE}/control").position()
    assert journal.is_signed_by(head, ends.journals.key.public_key())


def test_the_hub_is_not_changed_by_an_export(ends: Pair) -> None:
    """A checkpoint that is good for weeks belongs on sticks only: on the line it would hide a hub that stands still."""
    first = ends.order("o1")
    before = ends.journals.stream(f"{SITE}/control").covered()
    ends.export()
    _records, checkpoint = carry.parse_page(ends.page("from-hub", f"{SITE}/control").read_bytes())
    assert checkpoint.at_us == to_us(first.header.at), "later would say of a place behind the head that it went back"
    assert ends.journals.stream(f"{SITE}/control").covered() == before


@pytest.mark.root
def test_what_has_no_room_is_said_and_the_urgent_goes(ends: Pair, tmp_path: Path) -> None:
    """To the operator, and by the note on the stick to the county."""
    ends.publish(b"l" * 10_000_000, "i1")
    soon = ends.publish(b"s" * 1000, "i2")
    with small_disk(tmp_path / "small", "20m") as path:
        ends.stick = path
        with sticks.opened(path) as stick:
            sticks.label(stick, new_label())
        done = ends.export()
        assert (done.loaded.assets, done.loaded.left_assets, done.loaded.left_bytes) == (1, 1, 10_000_000)
        assert ends.on_stick("from-hub", soon).exists()
        note = carry.parse_note(
            (path / "from-hub" / "note").read_bytes(), label_of(ends), "hub", (ends.journals.key.public_key(),)
        )
        assert (note.left_assets, note.left_bytes) == (1, 10_000_000)
