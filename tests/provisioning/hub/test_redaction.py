"""J21 at the hub: the bytes are written over where they lie; nothing else moves, and nobody who reads is thrown out."""

import contextlib
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core import records
from appliance.core.errors import OperatorError, Refused
from appliance.core.item import Item
from appliance.core.journal import append, parse_record
from provisioning.hub import blanks, redactions
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.stream import Stream
from provisioning.hub.told import Told, absorb, fold
from provisioning.hub.verify import check
from tests.journals import AT, BEGAN_US, chain, reports, write_stream
from tests.provisioning.live import LiveHub

WORDS = "张三的电话一三八〇〇"
CONTENT = "all/content"


def publish(hub: LiveHub, *names: str, title: str = WORDS) -> None:
    for name in names:
        hub.journals.append(CONTENT, "offer", name, Item(name, title, "news", "hub", AT))


def holds_words(hub: LiveHub) -> list[str]:
    """Files of the hub in which the words stand."""
    return [path.name for path in hub.path.rglob("*") if path.is_file() and WORDS.encode() in path.read_bytes()]


def read_all(stream: Stream) -> list[tuple[str, bool]]:
    return [(record.header.key, record.body is None) for record in stream.records()]


def test_j21_a_body_is_gone_from_every_file_and_the_chain_still_verifies(quiet_hub: LiveHub) -> None:
    """Size and places of everything else are as before; the header still says what it was about."""
    publish(quiet_hub, "a")
    publish(quiet_hub, "b", title="别的")
    path = quiet_hub.path / "journals" / CONTENT / "1.records"
    size_bytes = path.stat().st_size
    redactions.order(quiet_hub.folder, CONTENT, 1, 1, "含个人信息")
    assert holds_words(quiet_hub) == []
    assert path.stat().st_size == size_bytes
    assert read_all(quiet_hub.journals.stream(CONTENT)) == [("a", True), ("b", False)]
    assert check(quiet_hub.folder, with_assets=False).problems == ()
    publish(quiet_hub, "c", title="别的")
    assert check(quiet_hub.folder, with_assets=False).problems == ()
    assert [*Catalogue().read(quiet_hub.journals, ()).offered] == ["b", "c"]


def test_a_reader_in_the_middle_of_a_stream_reads_on(quiet_hub: LiveHub) -> None:
    """A gate holds its place for days; it is as good after a redaction as before."""
    publish(quiet_hub, "a", "b", "c")
    stream = quiet_hub.journals.stream(CONTENT)
    [(_record, place)] = stream.page(stream.start(), records_max=1)
    redactions.order(quiet_hub.folder, CONTENT, 1, 1, "x")
    redactions.order(quiet_hub.folder, CONTENT, 1, 3, "x")
    assert [(each.header.key, each.body is None) for each, _place in stream.page(place)] == [("b", False), ("c", True)]


def test_who_holds_the_words_in_memory_forgets_them_when_it_hears_of_the_record(quiet_hub: LiveHub) -> None:
    """A session that runs for weeks, and the fold that an older one left beside the stream."""
    publish(quiet_hub, "a", "b")
    running = Catalogue().read(quiet_hub.journals, ())
    assert set(running.offered) == {"a", "b"}
    redactions.order(quiet_hub.folder, CONTENT, 1, 1, "x")
    assert set(running.read(quiet_hub.journals, ()).offered) == {"b"}
    assert running.to_redact() == ()


def test_what_a_story_said_before_does_not_come_back_at_the_hub(
    quiet_hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes on, and whoever begins, has the same: nothing, until it is made anew."""
    monkeypatch.setattr("provisioning.hub.catalogue.KEPT_EVERY", 1)
    publish(quiet_hub, "a", title="初版")
    publish(quiet_hub, "a")
    running = Catalogue().read(quiet_hub.journals, ())
    redactions.order(quiet_hub.folder, CONTENT, 1, 2, "x")
    assert [*running.read(quiet_hub.journals, ()).offered] == []
    assert [*Catalogue().read(quiet_hub.journals, ()).offered] == []
    publish(quiet_hub, "a", title="再版")
    assert [item.title for item in running.read(quiet_hub.journals, ()).offered.values()] == ["再版"]


def test_a_fold_grows_page_by_page_to_what_it_is_at_once() -> None:
    """Also where a version came on one page, its successor without words on the next, and a third one after that."""
    said = [("offer", "a", records.encode(Item("a", title, "news", "hub", AT))) for title in ("初版", "改版", "再版")]
    lines = [parse_record(line.header, line.body) for line in chain(CONTENT, said)]
    lines[1] = parse_record(lines[1].header_bytes, None)
    offers = []
    for count in (1, 2, 3):
        grown = Told()
        for line in lines[:count]:
            later = Told()
            fold(later, line)
            absorb(grown, later)
        at_once = Told()
        for line in lines[:count]:
            fold(at_once, line)
        assert grown == at_once
        offers.append([item.title for item in grown.offers.values()])
    assert offers == [["初版"], [], ["再版"]]


def test_a_fold_that_was_kept_before_the_redaction_does_not_bring_the_words_back(
    quiet_hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be written by a session that has not heard of it yet, after it was removed."""
    monkeypatch.setattr("provisioning.hub.catalogue.KEPT_EVERY", 1)
    publish(quiet_hub, "a")
    publish(quiet_hub, "b", title="别的")
    Catalogue().read(quiet_hub.journals, ())
    kept = quiet_hub.path / "journals" / CONTENT / "told"
    stale = kept.read_bytes()
    assert WORDS.encode() in stale
    redactions.order(quiet_hub.folder, CONTENT, 1, 1, "x")
    kept.write_bytes(stale)
    assert set(Catalogue().read(quiet_hub.journals, ()).offered) == {"b"}
    assert holds_words(quiet_hub) == []


def test_what_a_site_redacts_of_its_own_is_redacted_here(quiet_hub: LiveHub) -> None:
    """The record comes up in its report; whoever looks next carries it out."""
    key = Ed25519PrivateKey.generate()
    said = [*reports(3), ("tip", "t", records.encode(records.Tip("t", WORDS, AT)))]
    said.append(("redact", "k", records.encode(records.Redact("dengfeng/report", 1, 4, "x", AT))))
    (quiet_hub.path / "b").unlink(missing_ok=True)
    quiet_hub.run("enrol", "dengfeng", "--out", str(quiet_hub.path / "b"))
    stream = quiet_hub.journals.stream("dengfeng/report")
    write_stream(stream, chain(stream.name, said), key, BEGAN_US)
    assert holds_words(quiet_hub) != []
    redactions.apply_all(quiet_hub.folder)
    assert holds_words(quiet_hub) == []
    assert [is_blank for _key, is_blank in read_all(stream)] == [False, False, False, True, False]


def test_words_in_a_branch_that_was_given_up_go_too(quiet_hub: LiveHub) -> None:
    """They were said again in a new epoch, and it is there that somebody finds them; the evidence stays as a chain."""
    publish(quiet_hub, "a")
    kept = quiet_hub.journals.stream(CONTENT)
    (kept.folder / "forks").mkdir()
    data = (kept.folder / "1.records").read_bytes()
    (kept.folder / "forks" / "1.records").write_bytes(data.split(b"\n")[0] + b"\n\n" + data)
    redactions.order(quiet_hub.folder, CONTENT, 1, 1, "x")
    assert holds_words(quiet_hub) == []
    assert (kept.folder / "forks" / "1.records").stat().st_size == len(data.split(b"\n")[0]) + 2 + len(data)
    assert check(quiet_hub.folder, with_assets=False).problems == ()


def said_to_redact(hub: LiveHub, seq: int, origin: str) -> None:
    """The word of it alone, as it comes back from a county after the hub did."""
    body = records.Redact(CONTENT, 1, seq, "x", AT, origin)
    hub.journals.append("all/control", "redact", f"{CONTENT} 1:{seq}", body)
    redactions.apply_all(hub.folder)


def test_another_record_in_the_place_of_the_one_that_is_named_keeps_its_words(quiet_hub: LiveHub) -> None:
    """The hub came back from a backup and wrote on: the place is not that of the record that somebody had in mind."""
    publish(quiet_hub, "a", "b")
    said_to_redact(quiet_hub, 1, "e" * 64)
    assert read_all(quiet_hub.journals.stream(CONTENT)) == [("a", False), ("b", False)]
    assert check(quiet_hub.folder, with_assets=False).problems == ()


def test_the_record_that_is_named_is_redacted_wherever_it_stands(quiet_hub: LiveHub) -> None:
    """Also where it was issued again, and in a session that had read it before."""
    publish(quiet_hub, "a")
    kept = quiet_hub.journals.stream(CONTENT)
    [first] = kept.records()
    place = kept.tail().place
    again = append(place.position, "offer", "b", records.encode(Item("b", "别的", "news", "hub", AT)), 1, "e" * 64)
    quiet_hub.journals.sign(CONTENT, kept.append(place, [again]))
    running = Catalogue().read(quiet_hub.journals, ())
    said_to_redact(quiet_hub, 7, "e" * 64)
    assert read_all(kept) == [("a", False), ("b", True)]
    assert set(running.read(quiet_hub.journals, ()).offered) == {"a"}
    said_to_redact(quiet_hub, 2, first.hash)
    assert read_all(kept) == [("a", True), ("b", True)]
    assert (running.read(quiet_hub.journals, ()).offered, running.to_redact()) == ({}, ())
    assert check(quiet_hub.folder, with_assets=False).problems == ()


def test_a_redaction_from_before_they_named_records_is_done_by_its_place(quiet_hub: LiveHub) -> None:
    """Journals of running boxes have them."""
    publish(quiet_hub, "a", "b")
    old = b'{"stream":"all/content","epoch":1,"seq":1,"reason":"x","at":"2026-11-24T06:00:00Z"}'
    place = quiet_hub.journals.stream("all/control").tail().place
    record = append(place.position, "redact", "k", old, 1)
    quiet_hub.journals.sign("all/control", quiet_hub.journals.stream("all/control").append(place, [record]))
    redactions.apply_all(quiet_hub.folder)
    assert read_all(quiet_hub.journals.stream(CONTENT)) == [("a", True), ("b", False)]
    assert check(quiet_hub.folder, with_assets=False).problems == ()


def test_a_stream_redacts_only_what_it_has_a_say_over(quiet_hub: LiveHub) -> None:
    """A county cannot remove what the hub said, nor what another county said."""
    publish(quiet_hub, "a")
    quiet_hub.run("enrol", "dengfeng", "--out", str(quiet_hub.path / "b"))
    said = [("redact", "k", records.encode(records.Redact(CONTENT, 1, 1, "x", AT)))]
    stream = quiet_hub.journals.stream("dengfeng/report")
    write_stream(stream, chain(stream.name, said), Ed25519PrivateKey.generate(), BEGAN_US)
    redactions.apply_all(quiet_hub.folder)
    assert read_all(quiet_hub.journals.stream(CONTENT)) == [("a", False)]


def test_the_command_says_what_it_cannot_do(quiet_hub: LiveHub) -> None:
    """And then nothing has changed."""
    publish(quiet_hub, "a")
    redactions.order(quiet_hub.folder, CONTENT, 1, 1, "x")
    for place, seq in ((CONTENT, 1), (CONTENT, 2), ("all/control", 1), ("all/control", 9)):
        with pytest.raises(Refused):
            redactions.order(quiet_hub.folder, place, 1, seq, "x")
    quiet_hub.journals.append("all/control", "recall", "a", records.Recall("a", "误发", AT))
    with pytest.raises(Refused, match="cannot itself"):
        redactions.order(quiet_hub.folder, "all/control", 1, 2, "x")
    for stream in ("nobody/report", "x", "../x"):
        with pytest.raises((OperatorError, Refused)):
            redactions.order(quiet_hub.folder, stream, 1, 1, "x")
    assert "EPOCH:SEQ" in quiet_hub.run("redact", CONTENT, "one", "--reason", "x", status=2)
    assert quiet_hub.journals.stream("all/control").position().seq == 2


@pytest.mark.parametrize(("step", "is_blanking"), [(0, False), (3, False), (7, False), (0, True), (1, True)])
def test_a_redaction_that_is_killed_is_finished_by_whoever_looks_next(
    quiet_hub: LiveHub, step: int, is_blanking: bool
) -> None:
    """Between steps on the disk, half of the blanks written: no reader may be stuck on it for ever."""
    publish(quiet_hub, "a", "b")
    child = multiprocessing.get_context("fork").Process(
        target=_redact_and_die, args=(quiet_hub.path, step, is_blanking)
    )
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    stream = quiet_hub.journals.stream(CONTENT)
    assert [key for key, _blank in read_all(stream)] == ["a", "b"]
    redactions.apply_all(quiet_hub.folder)
    with contextlib.suppress(Refused):
        redactions.order(quiet_hub.folder, CONTENT, 1, 1, "x")
    assert holds_words(quiet_hub) == ["1.records"], "that of b"
    assert read_all(stream) == [("a", True), ("b", False)]
    assert check(quiet_hub.folder, with_assets=False).problems == ()
    assert not (stream.folder / blanks.NOTE).exists()


def _redact_and_die(path: Path, step: int, is_blanking: bool) -> None:
    """Carry out a redaction, killed at the given fsync before or while blanks are written, of which half are."""
    from provisioning.hub.folder import HubFolder

    steps, real = iter(range(100)), os.fsync

    def fsync(descriptor: int) -> None:
        records_file = path / "journals" / CONTENT / "1.records"
        if records_file.with_name(blanks.NOTE).exists() == is_blanking and next(steps) == step:
            if is_blanking:
                _tear(records_file)
            os.kill(os.getpid(), signal.SIGKILL)
        real(descriptor)

    os.fsync = fsync
    redactions.order(HubFolder(path), CONTENT, 1, 1, "x")


def _tear(path: Path) -> None:
    """Half of the body is blanks."""
    header, body = path.read_bytes().split(b"\n")[:2]
    if not body.strip():
        return
    parse_record(header, body)
    with path.open("r+b") as file:
        file.seek(len(header) + 1)
        file.write(b" " * (len(body) // 2))
