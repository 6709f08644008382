"""J21 at the box: what may not be kept is gone from the files, and the chain still verifies."""

import sqlite3
from pathlib import Path

import pytest

from appliance.core import records
from appliance.core.audit import Redactions
from appliance.core.command import Redact
from appliance.core.errors import Refused
from appliance.core.journal import append, position_after
from appliance.core.records import Answer, Order, Submission, Tip
from appliance.store import audit, journals, redactions
from appliance.store.database import transaction
from edge_agent import desk
from edge_agent.redaction import redact
from tests.appliance.boxes import AT, item
from tests.edge_agent.rig import OWN, SITE, Rig, rig, write

WORDS = "张三的电话一三八〇〇"
BYTES = WORDS.encode()


def on_disk(box: Rig) -> bool:
    """Whether the words are in any file of the box's state."""
    files = [path for path in box.config.database.parent.iterdir() if path.is_file()]
    assert box.config.database in files
    return any(BYTES in path.read_bytes() for path in files)


def order(box: Rig, stream: str, seq: int) -> None:
    """The hub's word that a body must go."""
    body = records.Redact(stream, 1, seq, "含个人信息", AT)
    write(box.hub, f"{stream.split('/')[0]}/control", "redact", f"{stream} 1:{seq}", body)


def is_clean(box: Rig) -> bool:
    """As an auditor sees it: chain, signatures, and each missing body redacted on record."""
    seen, missing, problems = Redactions(), [], []
    for stream in audit.streams(box.db):
        key = box.key.public_key() if stream == OWN else box.hub.key.public_key()
        found, without = audit.audit_table(box.db, stream, (key,), seen)
        missing += without
        problems += found.problems
    return not problems and not seen.unaccounted(missing)


def test_j21_redaction_of_personal_data_keeps_the_chain_valid(tmp_path: Path) -> None:
    """A citizen asks that what he wrote be removed: text and number leave database and log, the record stays."""
    with rig(tmp_path) as box:
        box.say("tip", "t1", Tip("t1", WORDS, AT, WORDS))
        box.say("tip", "t2", Tip("t2", "路灯坏了", AT))
        with transaction(box.db):
            box.db.execute("INSERT INTO tips VALUES ('t1', ?, ?, 1), ('t2', '路灯坏了', '', 1)", (WORDS, WORDS))
        box.talk()
        assert on_disk(box)
        order(box, OWN, 1)
        box.talk()
        assert redactions.wipe(box.db)
        assert not on_disk(box)
        assert box.rows("SELECT id FROM tips") == [("t2",)]
        assert [record.body is None for record in journals.read_from(box.db, OWN, (1, 0))] == [True, False]
        assert journals.parked_count(box.db) == 0
        box.conversation.own.vouch(box.now_us)
        assert is_clean(box)


@pytest.mark.parametrize("what", ["offer", "item", "order"])
def test_what_was_made_of_a_redacted_record_goes_with_it(tmp_path: Path, what: str) -> None:
    """The words stand in lists, pages and search, not in the journal alone."""
    with rig(tmp_path) as box:
        stream = "dengfeng/control" if what == "order" else "all/content"
        body = Order("o1", WORDS, WORDS) if what == "order" else item("i1", title=WORDS, body_html=WORDS)
        write(box.hub, stream, what, "o1" if what == "order" else "i1", body)
        box.talk()
        assert on_disk(box)
        order(box, stream, 1)
        box.talk()
        assert redactions.wipe(box.db)
        assert not on_disk(box)
        assert box.rows("SELECT count(*) FROM items") == [(0,)]
        assert is_clean(box)


def test_a_newer_version_of_a_redacted_story_stays(tmp_path: Path) -> None:
    """The editor has mended it: only the version with the name in it goes."""
    with rig(tmp_path) as box:
        write(box.hub, "all/content", "item", "i1", item("i1", title=WORDS))
        write(box.hub, "all/content", "item", "i1", item("i1", title="已更正"))
        box.talk()
        order(box, "all/content", 1)
        box.talk()
        assert redactions.wipe(box.db)
        assert box.rows("SELECT title FROM items") == [("已更正",)]
        assert not on_disk(box)


def test_an_answer_and_a_submission_lose_their_words(tmp_path: Path) -> None:
    """What the site itself said, in every table where it stands."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/control", "order", "o1", Order("o1", "采访"))
        box.talk()
        with transaction(box.db):
            box.db.execute("UPDATE orders SET note = ?, answered_by = ?", (WORDS, "值班"))
            box.db.execute(
                "INSERT INTO submissions VALUES ('s1', 's1', ?, ?, '', 'waiting', NULL, 1, 1, ?)", (WORDS, WORDS, "{}")
            )
        box.say("answer", "o1", Answer("o1", "done", "值班", AT, WORDS))
        box.say("submission", "s1", Submission("s1", item("s1", title=WORDS)))
        with transaction(box.db):
            box.db.execute("UPDATE submissions SET state = 'accepted'")
            redact(box.db, meant(box, 1), box.now_us)
            redact(box.db, meant(box, 2), box.now_us)
        assert redactions.wipe(box.db)
        assert not on_disk(box)
        assert box.rows("SELECT state, title FROM submissions") == [("accepted", "")]


def test_a_redacted_record_comes_to_a_new_box_without_its_body_and_does_nothing(tmp_path: Path) -> None:
    """It is no record that could not be applied: nobody has to look after it."""
    with rig(tmp_path / "a") as box:
        record = write(box.hub, "all/content", "item", "i1", item("i1", title=WORDS))
        hub = box.hub
    hub.streams["all/content"] = [records_without_body(record)]
    with rig(tmp_path / "b", hub) as box:
        box.talk()
        assert box.rows("SELECT state, body FROM journal WHERE kind = 'item'") == [("applied", None)]
        assert (box.rows("SELECT * FROM items"), journals.parked_count(box.db)) == ([], 0)


def test_a_body_that_comes_after_its_redaction_is_not_kept(tmp_path: Path) -> None:
    """Control overtakes content, as it must; the words must not come in behind it."""
    with rig(tmp_path) as box:
        order(box, "all/content", 1)
        box.talk()
        write(box.hub, "all/content", "item", "i1", item("i1", title=WORDS))
        box.talk()
        assert redactions.wipe(box.db)
        assert not on_disk(box)
        assert box.rows("SELECT * FROM items") == []


def test_what_a_story_said_before_does_not_come_back_whichever_way_it_comes(tmp_path: Path) -> None:
    """Boxes that had both versions, that hear of the redaction first, and that are new show the same: nothing."""
    with rig(tmp_path / "a") as box:
        write(box.hub, "all/content", "item", "i1", item("i1", title="初版"))
        box.talk()
        order(box, "all/content", 2)
        box.talk()
        record = write(box.hub, "all/content", "item", "i1", item("i1", title=WORDS))
        box.talk()
        assert (box.rows("SELECT * FROM items"), journals.parked_count(box.db)) == ([], 0)
        hub = box.hub
    hub.streams["all/content"][1] = records_without_body(record)
    with rig(tmp_path / "b", hub) as box:
        box.talk()
        assert box.rows("SELECT * FROM items") == []
        write(box.hub, "all/content", "item", "i1", item("i1", title="再版"))
        box.talk()
        assert box.rows("SELECT title FROM items") == [("再版",)]


def test_words_in_a_branch_that_was_given_up_go_too(tmp_path: Path) -> None:
    """What was said again in a new epoch also lies with the evidence of the branch that lost."""
    with rig(tmp_path) as box:
        box.say("tip", "t1", Tip("t1", WORDS, AT))
        with transaction(box.db):
            box.db.execute(
                "INSERT INTO lost SELECT stream, hash || 'x', epoch, seq, header, body, hash, 1, hash, 1 FROM journal"
            )
            redact(box.db, meant(box, 1), box.now_us)
        assert redactions.wipe(box.db)
        assert not on_disk(box)
        assert box.rows("SELECT count(*) FROM lost") == [(1,)]


def test_while_somebody_reads_the_old_pages_wiping_waits(tmp_path: Path) -> None:
    """A reader has its moment of the database; the log is emptied once it is gone, and nobody waits for it."""
    with rig(tmp_path) as box:
        box.say("tip", "t1", Tip("t1", WORDS, AT))
        reader = sqlite3.connect(box.config.database, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM journal").fetchone()
        with transaction(box.db):
            redact(box.db, meant(box, 1), box.now_us)
        assert not redactions.wipe(box.db)
        reader.close()
        assert redactions.wipe(box.db)
        assert not on_disk(box)
        assert box.rows("SELECT wiped FROM redactions") == [(1,)]


def test_a_site_redacts_its_own_words_by_command(tmp_path: Path) -> None:
    """It is on record, in its stream, with the reason; the hub hears of it and does the same."""
    with rig(tmp_path) as box:
        box.say("tip", "t1", Tip("t1", WORDS, AT))
        give(box, 1)
        box.talk()
        assert redactions.wipe(box.db)
        assert not on_disk(box)
        sent = box.hub.sites[SITE].report
        assert [(each.header.kind, each.body is None) for each in sent] == [("tip", True), ("redact", False)]
        said = records.Redact(OWN, 1, 1, "含个人信息", records.decode(sent[1]).at, sent[0].hash)  # type: ignore[union-attr]
        assert records.decode(sent[1]) == said
        with pytest.raises(Refused, match="already"):
            give(box, 1)
        with pytest.raises(Refused, match="cannot itself"):
            give(box, 2)
        with pytest.raises(Refused, match="no record"):
            give(box, 3)


def test_a_command_means_the_record_that_the_person_saw(tmp_path: Path) -> None:
    """The place may be another record's once the box comes to it; then that one keeps its words."""
    with rig(tmp_path) as box:
        box.say("tip", "t1", Tip("t1", WORDS, AT))
        box.say("tip", "t2", Tip("t2", "路灯坏了", AT))
        with pytest.raises(Refused, match="another record"):
            give(box, 1, "e" * 64)
        give(box, 1, meant(box, 2).hash)
        assert box.rows("SELECT seq, body IS NULL, kind FROM journal") == [
            (1, 0, "tip"),
            (2, 1, "tip"),
            (3, 0, "redact"),
        ]
        assert records.decode(journals.read_from(box.db, OWN, (1, 2))[0]).seq == 2  # type: ignore[union-attr]


def test_the_record_that_is_named_goes_wherever_it_stands_and_no_other(tmp_path: Path) -> None:
    """Its place is another's; it was issued again, or has still to come."""
    with rig(tmp_path) as box:
        first = write(box.hub, "all/content", "item", "i1", item("i1", title="别的"))
        body = records.encode(item("i2", title=WORDS))
        again, coming = (append(position_after(first), "item", "i2", body, 1, each * 64) for each in "ef")
        box.hub.streams["all/content"].append(again)
        box.talk()
        for origin in "e" * 64, "f" * 64:
            said = records.Redact("all/content", 1, 1, "含个人信息", AT, origin)
            write(box.hub, "all/control", "redact", "all/content 1:1", said)
        box.talk()
        assert box.rows("SELECT id FROM items") == [("i1",)]
        assert redactions.redacted(box.db, coming).body is None
        assert redactions.redacted(box.db, first).body is not None
        assert redactions.wipe(box.db)
        assert not on_disk(box)
        assert is_clean(box)


def test_a_redaction_from_before_they_named_records_is_done_by_its_place(tmp_path: Path) -> None:
    """Journals of running boxes have them."""
    with rig(tmp_path) as box:
        write(box.hub, "all/content", "item", "i1", item("i1", title=WORDS))
        box.talk()
        old = b'{"stream":"all/content","epoch":1,"seq":1,"reason":"x","at":"2026-11-24T06:00:00Z"}'
        box.hub.append("all/control", "redact", "all/content 1:1", old)
        box.talk()
        assert redactions.wipe(box.db)
        assert not on_disk(box)
        assert is_clean(box)


def meant(box: Rig, seq: int) -> records.Redact:
    """A redaction of one of the site's own records."""
    [record] = journals.read_from(box.db, OWN, (1, seq - 1), 1)
    return records.Redact(OWN, 1, seq, "含个人信息", AT, record.origin)


def give(box: Rig, seq: int, origin: str = "") -> None:
    command = Redact(by="technician", via="cli", at=AT, epoch=1, seq=seq, reason="含个人信息", hash=origin)
    with transaction(box.db):
        desk.effect_of(box.config, "c1", command, (), box.now_us)(box.db)


def records_without_body(record: records.Record) -> records.Record:
    import msgspec

    return msgspec.structs.replace(record, body=None)
