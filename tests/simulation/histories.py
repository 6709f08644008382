"""What must hold when a side comes back from an earlier copy of its disk: in the end one history, and nothing missing.

While the two histories grow together the oracle's other checks of streams do not apply. What either side has had since,
and what the side that was not set back had before, must be in the hub's streams in the end: as it was, or issued again.
A command that lay in the spool of the copy is carried out once more; its record has the id that it had before, by which
the hub knows it for the same.
"""

from collections.abc import Iterator
from typing import Any

from appliance.core import wire
from appliance.core.journal import Record, parse_record
from provisioning.hub.journals import HubJournals
from tests.simulation.pair import Pair
from tests.simulation.sides import SITE, Box

OWN = wire.stream_of_site(SITE)
STREAMS = (*wire.streams_of_hub(SITE), OWN)


class Histories:
    """Of one pair, from the first time that a side comes back."""

    def __init__(self, pair: Pair, box: Box | None = None) -> None:
        """`box` is the one that stands for the site, where there are two."""
        self._pair, self._box = pair, box or pair.box
        self._promised: dict[str, dict[str, Record]] = {name: {} for name in STREAMS}

    def begin_anew(self, *, hub: bool) -> None:
        """The hub, or else the box, is about to be set back: what it alone had goes with its disk."""
        self._promised = {name: {} for name in STREAMS}
        self.note(hub=not hub, box=hub)

    def note(self, *, hub: bool = True, box: bool = True) -> None:
        """Whatever is there now must not get lost any more."""
        for name in STREAMS:
            if hub:
                self._promise(name, self._at_hub(name))
            if box and self._box.agent is not None:
                self._promise(name, self._at_box(name))

    def open_ends(self) -> Iterator[str]:
        """What is not yet one history again, and what is missing in it."""
        for name in STREAMS:
            at_hub, at_box = self._at_hub(name), self._at_box(name)
            if [record.hash for record in at_hub] != [record.hash for record in at_box]:
                yield f"{name}: {len(at_hub)} records at the hub, {len(at_box)} at the box, not the same"
                continue
            there = {record.hash for record in at_hub} | {_again(record) for record in at_hub}
            for digest, record in self._promised[name].items():
                # One whose words were redacted on a branch that was given up has nothing to say again.
                if record.body is not None and there.isdisjoint((digest, _again(record) or digest)):
                    yield f"{name}: {record.header.kind} {record.header.key} is lost"

    def _promise(self, name: str, records: list[Record]) -> None:
        self._promised[name] |= {record.hash: record for record in records}

    def _at_hub(self, name: str) -> list[Record]:
        return list(HubJournals(self._pair.hub.folder).stream(name).records())

    def promise_lost(self) -> None:
        """What the box gave up of its own stream is not lost either."""
        rows: list[Any] = self._box.db.conn.execute(
            "SELECT header, body FROM lost WHERE stream = ? AND body IS NOT NULL", (OWN,)
        ).fetchall()
        self._promise(OWN, [parse_record(header, body) for header, body in rows])

    def _at_box(self, name: str) -> list[Record]:
        rows: list[Any] = self._box.db.conn.execute(
            "SELECT header, body FROM journal WHERE stream = ? ORDER BY epoch, seq", (name,)
        ).fetchall()
        return [parse_record(header, body) for header, body in rows]


def _again(record: Record) -> str | None:
    """Which record of a history that was given up this one stands for."""
    again: str | None = getattr(record.header, "again", None)
    return again
