"""Records that wait are shown page by page, and are applied again when a person asks for it."""

from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.errors import Refused, Text
from appliance.core.journal import Record, genesis
from appliance.store import journals, waiting
from appliance.store.database import transaction, writing
from tests.appliance.store.test_journals import STREAM, chain, judged, note, noted


def refuse(_db: Database, record: Record) -> None:
    raise Refused(Text("未准备好", f"not ready for {record.header.key}"))


def test_what_is_held_is_found_page_by_page_with_its_reason(tmp_path: Path) -> None:
    """A recall that is not done yet must be seen by whoever wonders why the story still stands."""
    records, why = chain(5, kind="recall"), Text("签名已过期", "past its time")
    with writing(tmp_path / "box.db") as db:
        judgement, signed = judged(genesis(STREAM), records)
        journals.accept(db, judgement, signed, note, lambda _record: why)
        first = waiting.held(db, 3)
        assert [(each.seq, each.kind, each.key, each.reason) for each in first] == [
            (number + 1, "recall", f"o{number}", why) for number in range(3)
        ]
        assert [each.seq for each in waiting.held(db, 3, (STREAM, 1, 3))] == [4, 5]


def test_one_parked_record_or_all_are_applied_again(tmp_path: Path) -> None:
    """The one that was named and no other; without a name all of them, and those that cannot be stay parked."""
    with writing(tmp_path / "box.db") as db:
        judgement, signed = judged(genesis(STREAM), chain(4))
        journals.accept(db, judgement, signed, refuse)
        with transaction(db):
            assert waiting.reapply(db, STREAM, 1, 3, note) == 1
        assert noted(db) == ["o2"]

        def all_but_the_first(db: Database, record: Record) -> None:
            (refuse if record.header.key == "o0" else note)(db, record)

        with transaction(db):
            assert waiting.reapply(db, "", 0, 0, all_but_the_first) == 2
        assert (noted(db), [each.key for each in journals.parked(db)]) == (["o2", "o1", "o3"], ["o0"])
        for place, said in (((STREAM, 1, 1), "not ready for o0"), ((STREAM, 1, 3), "nothing is parked there")):
            with pytest.raises(Refused, match=said), transaction(db):
                waiting.reapply(db, *place, refuse)
