"""What must hold while a copy of a box's disk runs in another machine, with the same key, beside the first.

Both read: what the hub says comes to both, in its order. But the site has one history. The hub notices when it has
heard one, the other and again the first; from then until a person has chosen, the site's stream stands still; and
afterwards only the chosen machine writes on. What it had said alone is not lost; what the other had said stays with it,
as evidence, and with the hub as far as that was shown it.
"""

from collections.abc import Iterator

from appliance.core.journal import Position, Record
from appliance.core.machine import Machines
from provisioning.hub import enrolment
from provisioning.hub.journals import HubJournals
from provisioning.hub.machines import machines_of
from tests.simulation.model import Violation
from tests.simulation.pair import Pair
from tests.simulation.sides import SITE, Box

OWN = f"{SITE}/report"


class Twins:
    """Of one pair, from the copy on. `written` tells which machines have had a record of the site's stream."""

    def __init__(self, pair: Pair, written: dict[str, set[str]]) -> None:
        self._pair, self._written = pair, written
        self._stands: Position | None = None
        """Where the site's stream stands while it is fenced."""

    def known(self) -> Machines:
        return machines_of(self._pair.hub.folder, SITE)

    def look(self) -> None:
        """While it is fenced the site's stream stands still."""
        position = HubJournals(self._pair.hub.folder).stream(OWN).position()
        if not self.known().fenced:
            self._stands = None
        elif self._stands is None:
            self._stands = position
        elif position != self._stands:
            raise Violation(f"fenced at {self._stands.place}, and {OWN} stands at {position.place}")

    def accepted(self, record: Record) -> None:
        """A machine that was not chosen writes nothing any more."""
        known = self.known()
        if known.shut_out and known.current not in self._written[record.hash]:
            raise Violation(f"{OWN} {record.header.seq} is of a machine that was not chosen")

    def choose(self) -> bool:
        """A person says which of the two stands for the site; whether there was something to say."""
        known = self.known()
        if not known.fenced:
            return False
        machine = self._pair.chance.choice(sorted(known.fenced))
        self._pair.trace(f"  {machine[:4]} of {len(known.fenced)}")
        at_us = self._pair.hub.clock.now_us
        return self._pair.operator(lambda folder: enrolment.approve(folder, SITE, at_us, machine))

    def chosen(self) -> Box | None:
        """The box that stands for the site, once a person has said so."""
        known = self.known()
        found = [box for box in self._pair.boxes if box.machine == known.current]
        return found[0] if known.shut_out and not known.fenced and found else None

    def open_ends(self) -> Iterator[str]:
        """Two machines that both speak are noticed, by whatever turns they take."""
        if not self.known().fenced and self.chosen() is None:
            yield "two machines speak for the site, and nobody was told"

    def others_are_told(self) -> Iterator[str]:
        """The technician of the machine that was not chosen sees that it does not count."""
        chosen = self.chosen()
        for box in self._pair.boxes:
            if box is chosen or box.agent is None:
                continue
            alarm = box.db.conn.execute(
                "SELECT severity FROM alarms WHERE id = ?", (f"raised:stream:{OWN}",)
            ).fetchone()
            if alarm != ("red",):
                yield f"{box.config.home.name} is not told that it was not chosen"
