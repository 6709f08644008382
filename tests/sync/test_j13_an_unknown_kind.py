"""J13: the hub is newer than the box, and says what the box does not know."""

from pathlib import Path

from appliance.store import journals
from tests.sync.nights import Night, night

BODY = b'{"id":"d1","steps":[1,2,3]}'


def applied(at: Night) -> list[str]:
    learned: list[str] = []
    journals.apply_parked(at.box.db, lambda _db, record: learned.append(f"{record.header.kind} {record.header.key}"))
    return learned


def test_it_is_kept_and_acknowledged_and_what_follows_goes_on(root: Path) -> None:
    """Over restarts and power cuts too; and it is applied once the software knows it, once."""
    with night(root) as at:
        at.rounds(3)
        at.write("all/control", "dance", "d1", BODY)
        at.write("all/content", "dance", "d2", BODY)
        for _round in range(8):
            at.pair.round(2_000_000)
        at.pair.operator(lambda _folder: None)
        at.order("o1")
        for _round in range(8):
            at.pair.round(2_000_000)
        assert at.rows("SELECT id FROM orders") == [("o1",)]
        for with_power in (False, True):
            at.pair.box_dies(with_power=with_power)
            for _round in range(4):
                at.pair.round(2_000_000)
        kept = at.rows("SELECT kind, key, body, state FROM journal WHERE kind = 'dance' ORDER BY key")
        assert kept == [("dance", "d1", BODY, "parked"), ("dance", "d2", BODY, "parked")]
        assert at.oracle.at(at.box).acked["all/control"][:2] == (1, 2)
        assert "parked" in at.alarms()
        assert applied(at) == ["dance d2", "dance d1"]
        assert applied(at) == []
