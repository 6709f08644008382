"""What must hold once a side that came back from an earlier copy and the other one have one history again.

While they have two, `histories.py` asks only that nothing gets lost. Then all that holds of a pair without such a night
holds of this one too, as far as the bytes are anywhere: what only the disk that was lost had is lost.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from appliance.core.journal import Record
from provisioning.hub.journals import HubJournals
from tests.simulation.at_box import EFFECTS, HUB_STREAMS, OWN
from tests.simulation.model import Model
from tests.simulation.pair import Pair
from tests.simulation.sides import SITE, Box

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle


def open_ends(pair: Pair, oracle: "Oracle", box: Box) -> Iterator[str]:
    """What is not as the one history has it."""
    streams = {name: list(HubJournals(pair.hub.folder).stream(name).records()) for name in (*HUB_STREAMS, OWN)}
    model = Model()
    for records in streams.values():
        for record in records:
            model.fold(_origin(record), record.header.kind, record.header.key, record.body)
    yield from _effects(box)
    yield from _served(box, model)
    if oracle.twins is None:
        # Two machines with one key take the line from each other while both run: records get through, files hardly.
        yield from _not_shown(pair, box, model)
        yield from _submissions(pair, box)
    yield from _redacted(oracle, streams)


def _effects(box: Box) -> Iterator[str]:
    for problem, sql in EFFECTS.items():
        found = box.db.conn.execute(sql).fetchone()
        if found is not None:
            yield f"{problem}: {found[0]}"


def _served(box: Box, model: Model) -> Iterator[str]:
    """Nothing is that the history does not vouch for."""
    for digest in sorted(_names(box) - model.digests()):
        yield f"served, and nothing vouches for it: {digest[:15]}"


def _not_shown(pair: Pair, box: Box, model: Model) -> Iterator[str]:
    """An item is shown once all its assets are here: of each that has all of them anywhere, all."""
    names, kept = _names(box), model.kept_by_hub()
    for name in sorted(model.shown()):
        digests = model.digests_of({name}) & kept
        if all(_is_anywhere(pair, box, digest) for digest in digests):
            yield from (f"not shown: {digest[:15]} of {name}" for digest in sorted(digests - names))


def _submissions(pair: Pair, box: Box) -> Iterator[str]:
    """Each is answered, whose file is at the box or came up. The hub takes the same bytes from its own pile only where
    the site may read them: to name a digest is not to have the file."""
    for name, state, digest in box.db.conn.execute(
        "SELECT id, state, digest FROM submissions WHERE state NOT IN ('accepted', 'refused')"
    ).fetchall():
        if _may_be_answered(pair, box, digest):
            yield f"submission {name} is {state}"


def _redacted(oracle: "Oracle", streams: dict[str, list[Record]]) -> Iterator[str]:
    """A body that had to go is not said again in another epoch, and no other goes in its place."""
    there = {_origin(record) for records in streams.values() for record in records}
    gone = {target for order, target in oracle.redacted.items() if order in there}
    for name, records in streams.items():
        for record in records:
            if _origin(record) in gone and record.body is not None:
                yield f"{name} {record.header.key} was redacted, and is said again"
            if _origin(record) not in oracle.asked and record.body is None:
                yield f"{name} {record.header.key} lost its body, and nobody asked for that"


def _origin(record: Record) -> str:
    """What a record is, or stands for."""
    return record.header.again or record.hash


def _names(box: Box) -> set[str]:
    return {f"sha256:{path.name}" for path in box.config.public.iterdir()}


def _may_be_answered(pair: Pair, box: Box, digest: str) -> bool:
    own, name = pair.hub.folder.site(SITE), digest[7:]
    return any((shelf / name).is_file() for shelf in (box.config.media / name[:2], own.uploaded, own.readable))


def _is_anywhere(pair: Pair, box: Box, digest: str) -> bool:
    own, name = pair.hub.folder.site(SITE), digest[7:]
    shelves = [box.config.media / name[:2], pair.hub.folder.assets / name[:2], own.uploaded]
    return any((shelf / name).is_file() for shelf in shelves)
